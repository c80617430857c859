// The engine proper: every socket of one JavaScript environment, on that environment's libuv loop. It has an epoll
// set of its own, edge-triggered, whose descriptor libuv watches. Nothing here knows N-API: events are written to
// a ring, and Host::dispatch shows them to JavaScript, many in one call.
//
// Order within a turn: events first (so heads are read and answered first), then what stands in line, one connection
// after the other: a share of a body, one of the heads that a peer has sent ahead. After so many bytes or so much time,
// events again. So a small request waits neither for a share of each body nor for all that one peer has pipelined.
#pragma once

#include <uv.h>

#include <deque>
#include <memory>
#include <vector>

#include "connection.h"
#include "sockets.h"

namespace sluice {

enum class EventKind : uint8_t {
  Accepted, Connected, Head, HeadTooLarge, ReadEnd, Data, RelayEnd, RelayStarved, LingerEnd, Gone, Drained, Broken,
  HeadForeign,
  // The system refused a call for want of something of this machine's: Call, errno.
  Short
};

// Which call it was. Values are shared with src/net/engine.ts.
enum class Call : uint8_t { Accept, Watch, Transfer };

struct Counters {
  uint64_t spliced = 0, copied = 0, discarded = 0, system_calls = 0;
  uint64_t accepted = 0, connected = 0, pipe_misses = 0;
  uint64_t connections = 0, relays = 0;
};

class Host {
 public:
  virtual ~Host() = default;
  // Shows the first `events` rows of the ring to JavaScript. May call back into the Loop.
  virtual void dispatch(size_t events) = 0;
};

class Loop {
 public:
  // One row of the ring: kind, id, and four values of the kind's own.
  static constexpr size_t kRow = 6;
  static constexpr size_t kRows = 1024;
  // The largest head of which the schema of the configuration can tell.
  static constexpr size_t kMaxHead = 1 << 20;
  static constexpr size_t kRead = 16 << 10;
  // Where heads are shown in place. Valid until dispatch returns. It is filled from its beginning, so that what only the
  // largest heads need of it is memory only once they come.
  static constexpr size_t kWindow = kMaxHead + (512 << 10);
  // A peer that lets more than this of what was sent to it lie here does not read.
  static constexpr size_t kMaxQueued = 64 << 10;
  // Skipped before a head (RFC 9112, section 2.2). One more is shown as a head, for the parser to refuse.
  static constexpr uint8_t kMaxEmptyLines = 8;

  // `bound`: sockets.h.
  Loop(uv_loop_t* uv, Host& host, DescriptorBound bound, double* ring, char* window);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // False, with an errno in `error`, where libuv or epoll could not be set up.
  bool start(int& error);
  // Closes everything; `closed` is called when libuv has let go of the handles and the Loop may be deleted.
  void stop(void (*closed)(void*), void* data);

  // Listeners. The result is an id, or 0 with an errno.
  Id listen(const Address& address, const ListenOptions& options, Address& bound, int& error);
  // Hands over `count` more connections, and then none until the next call.
  void admit(Id listener, uint64_t count);
  void close_listener(Id listener);

  // Connections. All calls with an id that is no longer alive do nothing.
  Id connect(const Address& address, const SocketOptions& options, uint32_t timeout, int& error);
  bool addresses(Id id, Address& remote, Address& local);
  void read_head(Id id, uint32_t max, uint32_t idle_timeout, uint32_t timeout);
  // Ends a read_head with a Timeout unless something has come, to here or to the kernel.
  void end_idle(Id id);
  // Ends a read_head with a Timeout unless the whole head has come.
  void end_head(Id id);
  void read_bytes(Id id, uint32_t max);
  // Whether the kernel took everything, or Drained follows, or the peer is gone, or its host stopped acknowledging.
  enum class Written : uint8_t { Gone, Taken, Waits, Lost };
  Written write(Id id, const char* bytes, size_t length);
  // Ends a read_bytes that waits; what was read stays.
  void cancel_read(Id id);
  // Puts bytes back in front of what is read next.
  void unread(Id id, const char* bytes, size_t length);
  // Broken follows when nothing written can arrive any more.
  void tell_broken(Id id, bool wanted);
  // True when more than kMaxQueued bytes lie here that the kernel has not taken.
  bool send(Id id, std::string_view bytes, bool more);
  // True when nothing lies here; otherwise Drained follows. False in `alive` where the peer is gone.
  bool drained(Id id, bool& alive);
  // True when the whole body was at hand and has been passed on; otherwise RelayEnd follows. `relay` says how much.
  bool relay(Id source, std::unique_ptr<Relay> relay, Relay& result);
  void grant(Id source, uint64_t bytes);
  // Ends it without an event; `result` says how much had been moved.
  void stop_relay(Id source, Relay& result);
  const Relay* relay_of(Id source);
  void watch(Id id, bool watched, bool data);
  // Nothing unread lies here, and the peer has not gone, as far as is known.
  bool is_quiet(Id id);
  // FIN behind what is queued.
  void end(Id id);
  // With `delivers` it ends once everything sent is acknowledged, else when the peer ends.
  void linger(Id id, uint64_t bytes, uint32_t timeout, bool delivers);
  void close(Id id, bool reset);
  bool tcp_info(Id id, uint32_t& rtt, uint32_t& retransmits);

  const Counters& counters() const { return counters_; }
  const PipePool& pipes() const { return pipes_; }

 private:
  struct Listener {
    Id id = 0;
    Fd fd;
    // Accepted under a number of the reserve: waits, unseen by JavaScript, until it can have a lower one.
    Fd held;
    // How many more connections it may hand over.
    uint64_t room = UINT64_MAX;
    bool armed = true;     // epoll tells of connections that wait
    bool starved = false;  // the system refused a call: tried again by the timer
  };
  // How a relay's share of a turn ended.
  enum class Share : uint8_t { Blocked, Again, Ended };

  Connection* find(Id id);
  // Null, with an errno in `error`, where the socket can't be watched; `fd` is then still the caller's.
  Connection* adopt(Fd& fd, int& error);
  void destroy(Connection& connection, bool reset);

  void turn();
  int take_events();
  void handle(Id id, uint32_t events);
  void handle_listener(Listener& listener);
  bool welcome(Listener& listener, Fd& fd);
  void starve(Listener& listener, Call call, int error);
  void revive(Listener& listener);
  void arm(Listener& listener);
  void sweep();
  void flush_events();
  void emit(EventKind kind, Id id, double a = 0, double b = 0, double c = 0, double d = 0);
  void show(EventKind kind, Connection& connection, const char* bytes, size_t length);
  void schedule(Connection& connection);
  void wake();
  size_t share(Connection& connection);
  void cork(Connection& connection);
  void uncork();
  void set_deadline(Connection& connection, uint32_t timeout);
  void expire(Connection& connection);
  void update_reference();

  void finish_connect(Connection& connection);
  void fail(Connection& connection, int error);
  void head_share(Connection& connection);
  void take_head(Connection& connection, const char* bytes, size_t length);
  void begin_head(Connection& connection);
  double head_age(const Connection& connection) const;
  void bytes_share(Connection& connection);
  void linger_share(Connection& connection);
  void check_gone(Connection& connection);
  void recheck(Connection& connection);
  void send_fin(Connection& connection);
  void check_delivered();
  void say_broken(Connection& connection);
  void end_read(Connection& connection, EndKind kind);
  ssize_t receive(Connection& connection, char* into, size_t length, int flags);
  // Errors of a call that moves bytes: true where the socket is sound and the call is to be made again later. EAGAIN
  // has an edge to come; for want of memory the next sweep makes one up.
  bool passes(const Connection& connection, int error);
  bool flush(Connection& connection, bool more);
  void push(Connection& connection);
  bool deliver(Connection& sink, const char* bytes, size_t length, bool more);

  // relay.cc
  size_t relay_share(Connection& source);
  Share pump(Connection& source, Connection* sink, size_t& quota);
  Share pump_plain(Connection& source, Connection& sink, size_t& quota);
  Share pump_chunked(Connection& source, Connection& sink, size_t& quota);
  Share pump_discard(Connection& source, size_t& quota);
  Share drain_pipe(Connection& source, Connection& sink, bool more);
  Share gather_chunks(Connection& source, Connection& sink, size_t room, size_t& quota);
  Share read_chunks(Connection& source, Connection& sink, size_t room, size_t& quota);
  size_t decode(Relay& relay, const char* bytes, size_t length, std::string& out);
  bool write_owed(Relay& relay);
  Share finish_chunked(Connection& source, Connection& sink);
  size_t room_in(Connection& sink);
  Share starve(Connection& source);
  Share end_relay(Connection& source, RelayEndKind kind);
  Share source_gone(Connection& source, ssize_t result);
  RelayEndKind sink_end(const Connection& sink) const;
  void detach(Connection& source);
  void progress(Connection& source);

  uv_loop_t* uv_;
  Host& host_;
  DescriptorBound bound_;
  double* ring_;
  char* window_;
  size_t rows_ = 0;
  size_t window_used_ = 0;

  Fd epoll_;
  uv_poll_t poll_{};
  uv_idle_t idle_{};
  uv_timer_t timer_{};
  int open_handles_ = 0;
  void (*closed_)(void*) = nullptr;
  void* closed_data_ = nullptr;

  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<uint32_t> generations_;
  // By slot, apart from the connections so that the sweep reads memory in one row. 0: none.
  std::vector<uint64_t> deadlines_;
  std::vector<uint32_t> free_slots_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::deque<Id> ready_;
  std::vector<Id> corked_;
  // Those that linger until what they sent is acknowledged, of which no event tells.
  std::vector<Id> delivering_;
  // Had no memory for a call: tried again by the next sweep.
  std::vector<Id> lacking_;
  PipePool pipes_;
  std::unique_ptr<char[]> scratch_;
  Counters counters_;
  uint64_t next_listener_ = 1;
  bool in_turn_ = false;
  bool idling_ = false;
  bool referenced_ = true;
};

}  // namespace sluice
