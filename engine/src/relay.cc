// Relays: how bodies move. One share of a turn at a time, never more than the sink is about to accept, so that the
// pipe is empty when the share ends and serves the next relay.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "loop.h"

namespace sluice {
namespace {

// What one relay may move before heads and the other relays get their chance. A quarter of it costs half as much
// again per byte.
constexpr size_t kShare = 1 << 20;
// Below this, one copy is cheaper than two splices.
constexpr size_t kSmall = 16 << 10;
// Chunks below this are read many at once and copied; above it, each is spliced.
constexpr uint64_t kSmallChunk = 8 << 10;
// With at least so much in the pipe and more to come, the kernel may wait for full segments.
constexpr size_t kFullSegments = 64 << 10;
// What the sink leaves in the pipe is moved to memory up to this, so that the pipe is free again.
constexpr size_t kLeftover = 8 << 10;
// Without a pipe: what the sink does not accept of it stays in memory.
constexpr size_t kCopy = 8 << 10;

RelayEndKind fault_of(const ChunkDecoder& decoder) {
  return decoder.too_long() ? RelayEndKind::SourceTrailersTooLong : RelayEndKind::SourceMalformed;
}

std::string_view size_line(uint64_t size, char (&text)[20]) {
  char* end = std::to_chars(text, text + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return {text, static_cast<size_t>(end - text)};
}

// Kept chunks: the size line goes on as soon as the size is known, unless it has gone already.
void open_chunk(Relay& relay, std::string& out) {
  if (relay.chunk_open) return;
  char text[20];
  out.append(size_line(relay.decoder.size(), text));
  relay.chunk_open = true;
}

// Kept chunks: the CRLF follows the last byte of the data.
void close_chunk(Relay& relay, std::string& out) {
  if (relay.decoder.in_data()) return;
  out.append("\r\n");
  relay.chunk_open = false;
}

// The pipe is empty: what had to follow it goes on from memory.
void settle(Relay& relay, Connection& sink) {
  if (relay.owed.empty()) return;
  sink.output.append(relay.owed);
  relay.owed.clear();
}

}  // namespace

// ---- beginning and ending

bool Loop::relay(Id id, std::unique_ptr<Relay> relay, Relay& result) {
  Connection* source = find(id);
  if (source == nullptr) return false;
  Connection* sink = find(relay->sink);
  source->relay = std::move(relay);
  source->reading = Connection::Reading::Relay;
  Relay& r = *source->relay;
  ++counters_.relays;
  if (sink != nullptr) {
    sink->source = id;
    // A small body that came with its head leaves with its head, in one call, and needs no event.
    if (r.framing == FramingKind::Length && r.remaining <= source->input.size() && r.remaining <= r.budget) {
      const size_t length = static_cast<size_t>(r.remaining);
      sink->output.append(source->input, 0, length);
      source->input.erase(0, length);
      if (source->input.empty()) std::string().swap(source->input);
      r.remaining = 0;
      r.copied = length;
      counters_.copied += length;
      if (sink->writable) flush(*sink, false);
      if (!sink->failed) {
        result.copied = length;
        detach(*source);
        recheck(*source);
        return true;
      }
    } else if (!sink->output.empty() && source->input.empty() && !source->readable && sink->writable) {
      // The head must not wait for a body that has not come.
      flush(*sink, false);
    }
  }
  progress(*source);
  // Also when there is nothing to read yet: the sink may be gone already.
  schedule(*source);
  return false;
}

void Loop::detach(Connection& source) {
  if (Connection* sink = find(source.relay->sink)) sink->source = 0;
  if (source.relay->pipe) pipes_.give_back(std::move(source.relay->pipe));
  source.relay.reset();
  source.reading = Connection::Reading::Nothing;
  set_deadline(source, 0);
  --counters_.relays;
}

Loop::Share Loop::end_relay(Connection& source, RelayEndKind kind) {
  const double spliced = static_cast<double>(source.relay->spliced);
  const double copied = static_cast<double>(source.relay->copied);
  detach(source);
  emit(EventKind::RelayEnd, source.id, static_cast<double>(kind), spliced, copied);
  const bool told = kind == RelayEndKind::SourceEnd || kind == RelayEndKind::SourceReset || kind == RelayEndKind::SourceLost;
  if (!told) recheck(source);
  return Share::Ended;
}

void Loop::stop_relay(Id id, Relay& result) {
  Connection* source = find(id);
  if (source == nullptr || !source->relay) return;
  result.spliced = source->relay->spliced;
  result.copied = source->relay->copied;
  detach(*source);
  recheck(*source);
}

const Relay* Loop::relay_of(Id id) {
  const Connection* source = find(id);
  return source == nullptr ? nullptr : source->relay.get();
}

void Loop::grant(Id id, uint64_t bytes) {
  Connection* source = find(id);
  if (source == nullptr || !source->relay) return;
  Relay& relay = *source->relay;
  relay.budget += bytes;
  if (!relay.starved || relay.budget == 0) return;
  relay.starved = false;
  progress(*source);
  schedule(*source);
}

// The budget is used up: JavaScript is asked for more, and the stall clock stands still until it gives some.
Loop::Share Loop::starve(Connection& source) {
  source.relay->starved = true;
  set_deadline(source, 0);
  emit(EventKind::RelayStarved, source.id);
  return Share::Blocked;
}

void Loop::progress(Connection& source) { set_deadline(source, source.relay->stall_timeout); }

Loop::Share Loop::source_gone(Connection& source, ssize_t result) {
  const Relay& relay = *source.relay;
  if (source.lost) return end_relay(source, RelayEndKind::SourceLost);
  if (result != 0 || source.failed) return end_relay(source, RelayEndKind::SourceReset);
  return end_relay(source, relay.framing == FramingKind::UntilClose ? RelayEndKind::Complete : RelayEndKind::SourceEnd);
}

RelayEndKind Loop::sink_end(const Connection& sink) const {
  return sink.lost ? RelayEndKind::SinkLost : RelayEndKind::SinkReset;
}

// ---- a share

size_t Loop::relay_share(Connection& source) {
  if (source.relay->starved) {
    // Still worth a look: a dead sink ends it even now.
    const Connection* sink = find(source.relay->sink);
    if (sink != nullptr && sink->failed) end_relay(source, sink_end(*sink));
    return 0;
  }
  Connection* sink = find(source.relay->sink);
  const Id id = source.id;
  size_t quota = kShare;
  const uint64_t before = source.relay->spliced + source.relay->copied;
  const Share share = pump(source, sink, quota);
  const size_t moved = kShare - quota;
  if (share == Share::Ended) return moved;
  Relay& relay = *source.relay;
  if (relay.pipe && relay.pipe->held == 0) pipes_.give_back(std::move(relay.pipe));
  if (relay.spliced + relay.copied != before && !relay.starved) progress(source);
  // The source has no more now, or may give none: what has come must not wait for it.
  if (share == Share::Blocked && sink != nullptr && sink->unpushed && sink->writable) push(*sink);
  if (share == Share::Again && find(id) != nullptr) schedule(source);
  return moved;
}

Loop::Share Loop::pump(Connection& source, Connection* sink, size_t& quota) {
  if (sink == nullptr) return pump_discard(source, quota);
  Relay& relay = *source.relay;
  if (sink->failed) return end_relay(source, sink_end(*sink));
  // First what is owed from before: queued bytes, the pipe's rest, the framing behind it.
  if (relay.pipe && relay.pipe->held > 0) {
    if (!sink->output.empty() && !flush(*sink, true)) return Share::Blocked;
    const Share share = drain_pipe(source, *sink, false);
    if (share != Share::Again) return share;
  }
  settle(relay, *sink);
  const Share share = relay.framing == FramingKind::Chunked ? pump_chunked(source, *sink, quota)
                                                            : pump_plain(source, *sink, quota);
  if (share == Share::Ended) return share;
  if (sink->failed) return end_relay(source, sink_end(*sink));
  return share;
}

// Room in the sink, or 0: then the kernel will say when there is more. An edge-triggered EPOLLOUT comes only after a
// send has failed or, as here, a poll has found no room.
size_t Loop::room_in(Connection& sink) {
  // An eighth is left for what the kernel's own records of the segments take: else the pipe keeps a rest.
  const size_t space = send_room(sink.fd.get());
  const size_t room = space - space / 8;
  ++counters_.system_calls;
  if (room >= kFullSegments) return room;
  pollfd question{sink.fd.get(), POLLOUT, 0};
  ++counters_.system_calls;
  // Where poll() itself fails no wake-up is armed: the send that follows arms it.
  if (::poll(&question, 1, 0) != 0) return std::max(room, kSmall);
  sink.writable = false;
  return 0;
}

// Empties the relay's pipe into the sink. Again: it is empty, go on. A small rest is taken into memory.
Loop::Share Loop::drain_pipe(Connection& source, Connection& sink, bool more) {
  Relay& relay = *source.relay;
  Pipe& pipe = *relay.pipe;
  while (pipe.held > 0) {
    const unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (more && pipe.held >= kFullSegments ? SPLICE_F_MORE : 0);
    const ssize_t n = splice(pipe.read.get(), nullptr, sink.fd.get(), nullptr, pipe.held, flags);
    ++counters_.system_calls;
    if (n > 0) {
      pipe.held -= static_cast<size_t>(n);
      sink.unpushed = (flags & SPLICE_F_MORE) != 0;
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && passes(sink, errno)) {
      sink.writable = false;
      break;
    } else {
      fail(sink, errno);
      return end_relay(source, sink_end(sink));
    }
  }
  if (pipe.held == 0) {
    relay.take = std::min<uint32_t>(relay.take * 2, kShare);
    return Share::Again;
  }
  relay.take = std::max<uint32_t>(relay.take / 4, Relay::kLeastTake);
  if (pipe.held <= kLeftover) {
    const ssize_t n = ::read(pipe.read.get(), scratch_.get(), pipe.held);
    ++counters_.system_calls;
    if (n > 0) {
      sink.output.append(scratch_.get(), static_cast<size_t>(n));
      pipe.held -= static_cast<size_t>(n);
      // It has left for the sink as far as the relay is concerned; the wake-up is armed.
      if (pipe.held == 0) return Share::Blocked;
    }
    // Where the read fails the rest stays in the pipe, as a larger one does.
  }
  return Share::Blocked;
}

// ---- length and until-close

Loop::Share Loop::pump_plain(Connection& source, Connection& sink, size_t& quota) {
  Relay& relay = *source.relay;
  const bool counted = relay.framing == FramingKind::Length;
  for (;;) {
    const uint64_t rest = counted ? relay.remaining : UINT64_MAX;
    if (rest == 0) {
      if (!sink.output.empty() && sink.writable) flush(sink, false);
      return end_relay(source, sink.failed ? sink_end(sink) : RelayEndKind::Complete);
    }
    if (relay.budget == 0) return starve(source);
    if (!sink.writable) return Share::Blocked;
    if (quota == 0) return Share::Again;
    const uint64_t allowed = std::min<uint64_t>({rest, relay.budget, quota, relay.take});

    if (!source.input.empty()) {
      const size_t length = static_cast<size_t>(std::min<uint64_t>(allowed, source.input.size()));
      sink.output.append(source.input, 0, length);
      source.input.erase(0, length);
      if (source.input.empty()) std::string().swap(source.input);
      relay.copied += length;
      counters_.copied += length;
      relay.budget -= length;
      if (counted) relay.remaining -= length;
      quota -= length;
      flush(sink, source.readable && rest > length);
      if (sink.failed) return end_relay(source, sink_end(sink));
      continue;
    }
    if (!source.readable) {
      if (!sink.output.empty()) flush(sink, false);
      return Share::Blocked;
    }
    if (!sink.output.empty() && !flush(sink, true)) return Share::Blocked;

    const size_t room = room_in(sink);
    if (room == 0) return Share::Blocked;
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(allowed, room));

    if (rest > kSmall && !relay.pipe && !(relay.pipe = pipes_.take())) ++counters_.pipe_misses;
    ssize_t n;
    if (rest > kSmall && relay.pipe) {
      n = splice(source.fd.get(), nullptr, relay.pipe->write.get(), nullptr, wanted, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      ++counters_.system_calls;
      if (n > 0) {
        relay.pipe->held = static_cast<size_t>(n);
        relay.spliced += static_cast<uint64_t>(n);
        counters_.spliced += static_cast<uint64_t>(n);
      }
    } else {
      n = receive(source, scratch_.get(), std::min(wanted, kCopy), 0);
      if (n > 0) {
        deliver(sink, scratch_.get(), static_cast<size_t>(n), false);
        relay.copied += static_cast<uint64_t>(n);
        counters_.copied += static_cast<uint64_t>(n);
      }
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && passes(source, errno)) {
      // The pipe was empty, so it is the source that has nothing.
      source.readable = false;
      return Share::Blocked;
    }
    if (n < 0) fail(source, errno);
    if (n <= 0) return source_gone(source, n);
    relay.budget -= static_cast<uint64_t>(n);
    if (counted) relay.remaining -= static_cast<uint64_t>(n);
    quota = static_cast<size_t>(n) >= kShare / 2 ? 0 : quota - std::min(quota, static_cast<size_t>(n));
    if (sink.failed) return end_relay(source, sink_end(sink));
    if (relay.pipe && relay.pipe->held > 0) {
      const Share share = drain_pipe(source, sink, !counted || relay.remaining > 0);
      if (share == Share::Ended) return share;
      if (share == Share::Blocked) {
        // A body whose last bytes wait in memory has been handed over; the pipe's must go first.
        if (relay.pipe->held == 0 && counted && relay.remaining == 0) continue;
        return share;
      }
    }
  }
}

// ---- chunked

Loop::Share Loop::pump_chunked(Connection& source, Connection& sink, size_t& quota) {
  Relay& relay = *source.relay;
  for (;;) {
    if (!source.input.empty() && !relay.decoder.done()) {
      const uint64_t before = relay.copied;
      const size_t taken = decode(relay, source.input.data(), source.input.size(), sink.output);
      counters_.copied += relay.copied - before;
      source.input.erase(0, taken);
      if (source.input.empty()) std::string().swap(source.input);
      quota -= std::min(quota, taken);
    }
    if (relay.decoder.malformed()) return end_relay(source, fault_of(relay.decoder));
    if (relay.decoder.done()) return finish_chunked(source, sink);
    if (!sink.output.empty() && (!sink.writable || !flush(sink, source.readable))) return Share::Blocked;
    if (relay.decoder.in_data() && relay.budget == 0) return starve(source);
    if (!sink.writable) return Share::Blocked;
    if (quota == 0) return Share::Again;
    if (!source.input.empty()) continue;
    if (!source.readable) return Share::Blocked;

    const size_t room = room_in(sink);
    if (room == 0) return Share::Blocked;
    const bool large = relay.decoder.size() >= kSmallChunk;
    if (large && !relay.pipe && !(relay.pipe = pipes_.take())) ++counters_.pipe_misses;
    const Share share = large && relay.pipe ? gather_chunks(source, sink, room, quota)
                                            : read_chunks(source, sink, room, quota);
    if (share != Share::Again) return share;
  }
}

// Decodes bytes that are in memory and appends them to `out`, as one chunk or in their own; returns how many it
// consumed.
size_t Loop::decode(Relay& relay, const char* bytes, size_t length, std::string& out) {
  const bool kept = relay.output == OutputKind::Kept;
  std::string data;
  std::string& into = kept ? out : data;
  size_t at = 0;
  while (at < length) {
    at += relay.decoder.consume(bytes + at, length - at);
    if (!relay.decoder.in_data()) break;
    if (kept) open_chunk(relay, out);
    const size_t take = static_cast<size_t>(
        std::min<uint64_t>({length - at, relay.decoder.remaining(), relay.budget}));
    if (take == 0) break;
    into.append(bytes + at, take);
    relay.decoder.took(take);
    relay.budget -= take;
    relay.copied += take;
    at += take;
    if (kept) close_chunk(relay, out);
  }
  if (data.empty()) return at;
  char text[20];
  if (relay.output == OutputKind::Same) out.append(size_line(data.size(), text));
  out.append(data);
  if (relay.output == OutputKind::Same) out.append("\r\n");
  return at;
}

// Small chunks, or no pipe: many chunks in one read, copied.
Loop::Share Loop::read_chunks(Connection& source, Connection& sink, size_t room, size_t& quota) {
  Relay& relay = *source.relay;
  const size_t wanted = std::min({room, quota, kCopy});
  const ssize_t n = receive(source, scratch_.get(), wanted, 0);
  if (n < 0 && errno == EAGAIN) {
    source.readable = false;
    return Share::Blocked;
  }
  if (n <= 0) return source_gone(source, n);
  const size_t length = static_cast<size_t>(n);
  const uint64_t before = relay.copied;
  const size_t taken = decode(relay, scratch_.get(), length, sink.output);
  counters_.copied += relay.copied - before;
  source.input.assign(scratch_.get() + taken, length - taken);
  quota -= std::min(quota, length);
  return Share::Again;
}

// Large chunks: the data of as many as fit goes into the pipe and only the framing between them is read. All of it
// leaves as one chunk, so that a peer's small buffers do not become our system calls towards the sink; kept chunks have
// their framing written into the pipe between their data, and leave in one call all the same.
Loop::Share Loop::gather_chunks(Connection& source, Connection& sink, size_t room, size_t& quota) {
  Relay& relay = *source.relay;
  Pipe& pipe = *relay.pipe;
  const bool kept = relay.output == OutputKind::Kept;
  const size_t wanted = std::min<size_t>({room, quota, relay.take});
  size_t gathered = 0;
  ssize_t ended = 1;  // as splice and recv tell: 0 the end, below 0 an error
  while (gathered < wanted && !relay.decoder.done() && !relay.decoder.malformed()) {
    if (relay.decoder.in_data()) {
      const size_t take = static_cast<size_t>(
          std::min<uint64_t>({relay.decoder.remaining(), relay.budget, wanted - gathered}));
      if (take == 0) break;
      if (kept) open_chunk(relay, relay.owed);
      // Behind what could not be written nothing may go.
      if (!write_owed(relay)) break;
      const ssize_t n = splice(source.fd.get(), nullptr, pipe.write.get(), nullptr, take, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      ++counters_.system_calls;
      if (n > 0) {
        relay.decoder.took(static_cast<uint64_t>(n));
        relay.budget -= static_cast<uint64_t>(n);
        relay.spliced += static_cast<uint64_t>(n);
        counters_.spliced += static_cast<uint64_t>(n);
        gathered += static_cast<size_t>(n);
        pipe.held += static_cast<size_t>(n);
        if (kept) close_chunk(relay, relay.owed);
        continue;
      }
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && passes(source, errno)) {
        // With data in the pipe this may mean that the pipe is full: only without is it the source that is dry. One size
        // line fills none.
        if (gathered == 0) source.readable = false;
      } else {
        ended = n;
        if (n < 0) fail(source, errno);
      }
      break;
    }
    // Senders repeat their chunk size, so the next framing is most likely as long as the last. The shortest that
    // can follow a chunk is the last chunk's, 7 bytes.
    char framing[64];
    const size_t guess = std::clamp<size_t>(relay.decoder.framing_length(), 7, sizeof framing);
    const ssize_t n = receive(source, framing, guess, 0);
    if (n < 0 && errno == EAGAIN) {
      source.readable = false;
      break;
    }
    if (n <= 0) {
      ended = n;
      break;
    }
    const size_t length = static_cast<size_t>(n);
    const size_t taken = relay.decoder.consume(framing, length);
    if (taken < length) {
      source.input.assign(framing + taken, length - taken);
      break;
    }
  }
  quota -= std::min(quota, gathered);
  if (gathered > 0 && relay.output == OutputKind::Same) {
    char text[20];
    const std::string_view line = size_line(gathered, text);
    deliver(sink, line.data(), line.size(), true);
    relay.owed = "\r\n";
  }
  // A chunk whose size is known begins now, and one that is through ends now: its peer may be waiting for just that.
  if (kept && relay.decoder.in_data()) open_chunk(relay, relay.owed);
  write_owed(relay);
  if (pipe.held > 0) {
    if (sink.failed) return end_relay(source, sink_end(sink));
    if (!sink.output.empty()) return Share::Blocked;
    // Whoever has been sent a whole chunk may answer it before another comes.
    const Share share = drain_pipe(source, sink, kept ? relay.decoder.in_data() : !relay.decoder.done());
    // The source's end, if it was seen, is seen again behind what still waits for the sink.
    if (share != Share::Again) return share;
  }
  settle(relay, sink);
  if (ended <= 0) return source_gone(source, ended);
  return Share::Again;
}

// Writes framing into the pipe, between the data; false where it has no room for that.
bool Loop::write_owed(Relay& relay) {
  if (relay.owed.empty()) return true;
  // All or nothing: it is shorter than PIPE_BUF, pipe(7).
  const ssize_t n = ::write(relay.pipe->write.get(), relay.owed.data(), relay.owed.size());
  ++counters_.system_calls;
  if (n < 0) return false;
  relay.pipe->held += relay.owed.size();
  relay.owed.clear();
  return true;
}

Loop::Share Loop::finish_chunked(Connection& source, Connection& sink) {
  const Relay& relay = *source.relay;
  if (relay.output != OutputKind::Decoded) sink.output.append("0\r\n").append(relay.decoder.trailer()).append("\r\n");
  if (sink.writable) flush(sink, false);
  return end_relay(source, sink.failed ? sink_end(sink) : RelayEndKind::Complete);
}

// ---- throwing away

// recv(MSG_TRUNC) drops bytes in the kernel, uncopied.
Loop::Share Loop::pump_discard(Connection& source, size_t& quota) {
  Relay& relay = *source.relay;
  for (;;) {
    const bool chunked = relay.framing == FramingKind::Chunked;
    if (chunked && !source.input.empty() && !relay.decoder.in_data()) {
      source.input.erase(0, relay.decoder.consume(source.input.data(), source.input.size()));
    }
    if (chunked && relay.decoder.malformed()) return end_relay(source, fault_of(relay.decoder));
    const uint64_t rest = chunked ? (relay.decoder.in_data() ? relay.decoder.remaining() : 0)
                          : relay.framing == FramingKind::Length ? relay.remaining : UINT64_MAX;
    if (chunked ? relay.decoder.done() : rest == 0) return end_relay(source, RelayEndKind::Complete);
    if (relay.budget == 0) return end_relay(source, RelayEndKind::Stopped);
    if (quota == 0) return Share::Again;
    const uint64_t allowed = std::min<uint64_t>({rest, relay.budget, quota});
    ssize_t n;
    if (!source.input.empty() && rest > 0) {
      n = static_cast<ssize_t>(std::min<uint64_t>(allowed, source.input.size()));
      source.input.erase(0, static_cast<size_t>(n));
    } else if (!source.readable) {
      return Share::Blocked;
    } else if (rest > 0) {
      n = receive(source, nullptr, static_cast<size_t>(allowed), MSG_TRUNC);
    } else {
      n = receive(source, scratch_.get(), 64, 0);
      if (n > 0) source.input.assign(scratch_.get(), static_cast<size_t>(n));
    }
    if (n < 0 && errno == EAGAIN) {
      source.readable = false;
      return Share::Blocked;
    }
    if (n <= 0) return source_gone(source, n);
    if (rest == 0) continue;
    const uint64_t dropped = static_cast<uint64_t>(n);
    relay.copied += dropped;
    relay.budget -= dropped;
    counters_.discarded += dropped;
    quota -= std::min(quota, static_cast<size_t>(n));
    if (chunked) relay.decoder.took(dropped);
    if (relay.framing == FramingKind::Length) relay.remaining -= dropped;
  }
}

}  // namespace sluice
