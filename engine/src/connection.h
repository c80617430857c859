// One TCP connection, and the relay that reads from it. Kept small: ten thousand idle ones are normal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "chunk-decoder.h"
#include "fd.h"
#include "pipe-pool.h"

namespace sluice {

// Names a connection for JavaScript: a slot and its generation, so that a late call finds nothing rather than
// the connection that has the slot by then. Fits a double exactly. 0 is nobody.
using Id = uint64_t;

// Values are shared with src/net/engine.ts, as are those of OutputKind, RelayEndKind, EndKind, GoneKind and EventKind.
enum class FramingKind : uint8_t { Length, Chunked, UntilClose };
// How chunked input leaves: in chunks of the relay's own, without the coding, or in the chunks it came in.
enum class OutputKind : uint8_t { Same, Decoded, Kept };

enum class RelayEndKind : uint8_t {
  Complete, SourceEnd, SourceReset, SourceLost, SourceMalformed, SourceTrailersTooLong, SourceStalled,
  SinkReset, SinkLost, SinkStalled, Stopped
};
enum class EndKind : uint8_t { End, Reset, Lost, Timeout };
enum class GoneKind : uint8_t { End, Reset, Lost, Data };

struct Relay {
  static constexpr uint32_t kFirstTake = 128 << 10;
  static constexpr uint32_t kLeastTake = 8 << 10;

  // 0 where the body is thrown away.
  Id sink = 0;
  FramingKind framing = FramingKind::Length;
  OutputKind output = OutputKind::Same;
  // Kept chunks: the size line of the chunk being read has been written.
  bool chunk_open = false;
  // Waits for a grant.
  bool starved = false;
  // Of a body of known length.
  uint64_t remaining = 0;
  // Body bytes it may still take from the source.
  uint64_t budget = 0;
  uint32_t stall_timeout = 0;
  // What it may take from the source at once: grows while the sink accepts all of it, shrinks when the sink leaves a
  // rest, as under memory pressure it does in spite of the room it tells.
  uint32_t take = kFirstTake;
  uint64_t spliced = 0;
  uint64_t copied = 0;
  ChunkDecoder decoder;
  // Chunk framing that has to follow the pipe's bytes: the CRLF behind a chunk, the next size line.
  std::string owed;
  // Held between turns only while bytes are inside that the sink did not accept.
  std::unique_ptr<Pipe> pipe;
};

struct Connection {
  // What the connection is being read for. At most one thing at a time.
  enum class Reading : uint8_t { Nothing, Head, Bytes, Relay, Linger };

  Id id = 0;
  Fd fd;
  Reading reading = Reading::Nothing;
  bool connecting = false;
  // Edge-triggered: true from the event until a call finds nothing more.
  bool readable = false;
  bool writable = true;
  bool hung_up = false;  // FIN has come
  bool failed = false;   // reset, or another socket error
  bool lost = false;     // failed because the peer's host stopped acknowledging
  bool queued = false;   // stands in the ready queue
  bool unpushed = false; // the kernel was told that more follows what it has
  bool corked = false;   // its output leaves at the end of the events, or of the line
  bool tells_drained = false;
  bool tells_broken = false;
  bool watched = false;
  bool watched_for_data = false;
  bool told_end = false;     // the watcher knows of the FIN
  bool ends = false;         // FIN follows the output
  bool half_closed = false;  // FIN was sent
  bool idle_ends = false;    // a head of which nothing has come is no longer waited for
  bool delivered = false;    // everything sent was acknowledged, so that its linger may end
  bool head_ends = false;    // nor is one that is not whole yet
  bool head_begun = false;   // its deadline runs, no longer the idle one

  uint8_t empty_lines = 0;   // skipped before the head that is awaited

  uint32_t max_head = 0;
  uint32_t scanned = 0;
  uint32_t head_timeout = 0;
  // When it began, by uv_now; of meaning while it is incomplete.
  uint64_t head_since = 0;
  uint64_t linger_bytes = 0;

  // Read, but not consumed: part of a head, or what came behind one.
  std::string input;
  // Sent by JavaScript or left from a relay, but not yet accepted by the kernel.
  std::string output;

  // The relay that reads from here; the connection whose relay writes to here.
  std::unique_ptr<Relay> relay;
  Id source = 0;
};

}  // namespace sluice
