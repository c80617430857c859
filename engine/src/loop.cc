#include "loop.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "head.h"

namespace sluice {
namespace {

// What a read of no bytes, or of less, means.
EndKind end_kind(const Connection& connection, ssize_t received) {
  if (connection.lost) return EndKind::Lost;
  return received == 0 && !connection.failed ? EndKind::End : EndKind::Reset;
}

constexpr uint64_t kSlotBits = 20;
constexpr uint64_t kListenerBit = 1ull << 63;
constexpr int kMaxEvents = 256;
constexpr int kMaxAccepts = 64;
// libuv gets the thread back at least this often while there is work.
constexpr uint64_t kTurnNanoseconds = 1'000'000;
// Events are looked at again after so many body bytes, or so much time: a head costs no bytes, but all that JavaScript
// does about it.
constexpr size_t kBytesBetweenEvents = 256 << 10;
constexpr uint64_t kNanosecondsBetweenEvents = 100'000;
// Answers to pipelined requests are gathered up to this, and leave together.
constexpr size_t kGathered = 16 << 10;
constexpr uint64_t kSweepMilliseconds = 50;

// Makes `length` bytes from `from` on, of the input itself or of a buffer elsewhere, the input.
void keep_input(Connection& connection, const char* bytes, size_t from, size_t length) {
  if (length == 0) {
    std::string().swap(connection.input);
  } else if (bytes == connection.input.data()) {
    connection.input.erase(0, from);
  } else {
    connection.input.assign(bytes + from, length);
  }
}

// What accept(2) passes on that belongs to the one connection: those behind it are not concerned.
bool is_of_one_client(int error) {
  switch (error) {
    case EINTR: case ECONNABORTED: case EPERM: case EPROTO: case ENOPROTOOPT: case EOPNOTSUPP:
    case ENETDOWN: case EHOSTDOWN: case ENONET: case EHOSTUNREACH: case ENETUNREACH: return true;
    default: return false;
  }
}

size_t slot_of(Id id) { return id & ((1u << kSlotBits) - 1); }

}  // namespace

Loop::Loop(uv_loop_t* uv, Host& host, DescriptorBound bound, double* ring, char* window)
    : uv_(uv), host_(host), bound_(bound), ring_(ring), window_(window), pipes_(bound), scratch_(new char[64 << 10]) {}

Loop::~Loop() = default;

bool Loop::start(int& error) {
  epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) {
    error = errno;
    return false;
  }
  poll_.data = idle_.data = timer_.data = this;
  const int failed = uv_poll_init(uv_, &poll_, epoll_.get());
  if (failed != 0) {
    error = -failed;
    return false;
  }
  // Of these, libuv documents no failure for handles that are initialized and not closing.
  uv_idle_init(uv_, &idle_);
  uv_timer_init(uv_, &timer_);
  open_handles_ = 3;
  uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* handle, int, int) {
    // While there is work the idle handle takes every turn: a second one would only keep libuv from its other handles.
    Loop* loop = static_cast<Loop*>(handle->data);
    if (!loop->idling_) loop->turn();
  });
  uv_timer_start(&timer_, [](uv_timer_t* handle) { static_cast<Loop*>(handle->data)->sweep(); }, kSweepMilliseconds,
                 kSweepMilliseconds);
  uv_unref(reinterpret_cast<uv_handle_t*>(&timer_));
  update_reference();
  return true;
}

void Loop::stop(void (*closed)(void*), void* data) {
  if (closed_ != nullptr) return;
  closed_ = closed;
  closed_data_ = data;
  listeners_.clear();
  for (auto& connection : connections_) {
    if (connection) destroy(*connection, false);
  }
  ready_.clear();
  if (open_handles_ == 0) return closed(data);
  for (uv_handle_t* handle : {reinterpret_cast<uv_handle_t*>(&poll_), reinterpret_cast<uv_handle_t*>(&idle_),
                              reinterpret_cast<uv_handle_t*>(&timer_)}) {
    uv_close(handle, [](uv_handle_t* closing) {
      Loop* loop = static_cast<Loop*>(closing->data);
      if (--loop->open_handles_ == 0) loop->closed_(loop->closed_data_);
    });
  }
}

// An engine without listeners and connections does not keep the process alive.
void Loop::update_reference() {
  const bool wanted = counters_.connections > 0 || !listeners_.empty();
  if (wanted == referenced_ || closed_ != nullptr) return;
  referenced_ = wanted;
  auto* handle = reinterpret_cast<uv_handle_t*>(&poll_);
  wanted ? uv_ref(handle) : uv_unref(handle);
}

// ---- connections by id

Connection* Loop::find(Id id) {
  const size_t slot = slot_of(id);
  if (slot >= connections_.size() || !connections_[slot] || connections_[slot]->id != id) return nullptr;
  return connections_[slot].get();
}

Connection* Loop::adopt(Fd& fd, int& error) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<uint32_t>(connections_.size()));
    connections_.emplace_back();
    generations_.push_back(0);
    deadlines_.push_back(0);
  }
  const uint32_t slot = free_slots_.back();
  const Id id = (static_cast<uint64_t>(generations_[slot] + 1) << kSlotBits) | slot;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = id;
  ++counters_.system_calls;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
    // ENOSPC: fs.epoll.max_user_watches. Without events its peer would wait for ever.
    error = errno;
    return nullptr;
  }
  free_slots_.pop_back();
  ++generations_[slot];
  auto connection = std::make_unique<Connection>();
  connection->id = id;
  connection->fd = std::move(fd);
  ++counters_.system_calls;
  ++counters_.connections;
  connections_[slot] = std::move(connection);
  update_reference();
  return connections_[slot].get();
}

void Loop::destroy(Connection& connection, bool reset) {
  if (connection.relay) detach(connection);
  if (Connection* source = find(connection.source)) detach(*source);
  if (reset) {
    reset_on_close(connection.fd.get());
    ++counters_.system_calls;
  }
  const size_t slot = slot_of(connection.id);
  deadlines_[slot] = 0;
  free_slots_.push_back(static_cast<uint32_t>(slot));
  connections_[slot].reset();
  ++counters_.system_calls;
  --counters_.connections;
  update_reference();
}

// ---- the turn

void Loop::turn() {
  in_turn_ = true;
  const uint64_t started = uv_hrtime();
  for (;;) {
    const int taken = take_events();
    flush_events();
    uncork();
    if (ready_.empty() && taken < kMaxEvents) break;
    size_t moved = 0;
    const uint64_t looked = uv_hrtime();
    uint64_t now = looked;
    while (!ready_.empty() && moved < kBytesBetweenEvents && now - looked < kNanosecondsBetweenEvents) {
      const Id id = ready_.front();
      ready_.pop_front();
      if (Connection* connection = find(id)) {
        connection->queued = false;
        moved += share(*connection);
        flush_events();
      }
      now = uv_hrtime();
    }
    uncork();
    if (now - started > kTurnNanoseconds) break;
  }
  in_turn_ = false;
  if (closed_ != nullptr) return;
  if (ready_.empty()) {
    if (idling_) uv_idle_stop(&idle_);
    idling_ = false;
  } else {
    wake();
  }
}

// One connection's part of a turn: one head, one piece, one share of a body. Gives the body bytes moved.
size_t Loop::share(Connection& connection) {
  say_broken(connection);
  switch (connection.reading) {
    case Connection::Reading::Relay: return relay_share(connection);
    case Connection::Reading::Head:
      head_share(connection);
      if (connection.reading == Connection::Reading::Head &&
          (connection.head_ends || (connection.idle_ends && !connection.head_begun))) {
        end_read(connection, EndKind::Timeout);
      }
      break;
    case Connection::Reading::Bytes: bytes_share(connection); break;
    case Connection::Reading::Linger: linger_share(connection); break;
    case Connection::Reading::Nothing: check_gone(connection); break;
  }
  return 0;
}

// What was sent with `more` waits for what follows, but not beyond the events that it was sent in.
void Loop::uncork() {
  for (const Id id : corked_) {
    Connection* connection = find(id);
    if (connection == nullptr) continue;
    connection->corked = false;
    if (connection->writable && !connection->output.empty()) flush(*connection, false);
  }
  corked_.clear();
}

// Makes libuv come back at once: there is work that no descriptor will announce.
void Loop::wake() {
  if (in_turn_ || idling_ || closed_ != nullptr) return;
  idling_ = true;
  uv_idle_start(&idle_, [](uv_idle_t* handle) { static_cast<Loop*>(handle->data)->turn(); });
}

void Loop::schedule(Connection& connection) {
  if (connection.queued) return;
  connection.queued = true;
  ready_.push_back(connection.id);
  wake();
}

int Loop::take_events() {
  epoll_event events[kMaxEvents];
  // Fails with EINTR alone, as long as the set is ours: libuv calls again while events are left.
  const int taken = epoll_wait(epoll_.get(), events, kMaxEvents, 0);
  ++counters_.system_calls;
  for (int i = 0; i < taken; ++i) {
    if (rows_ + 8 > kRows || window_used_ + kMaxHead + kRead > kWindow) flush_events();
    const uint64_t id = events[i].data.u64;
    if ((id & kListenerBit) == 0) {
      handle(id, events[i].events);
      continue;
    }
    for (auto& listener : listeners_) {
      if (listener->id == (id & ~kListenerBit)) {
        handle_listener(*listener);
        break;
      }
    }
  }
  return taken;
}

void Loop::handle(Id id, uint32_t events) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  if (connection->connecting) {
    if ((events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    finish_connect(*connection);
    if ((connection = find(id)) == nullptr) return;
  }
  // Behind FINs of both sides a hang-up is no failure.
  if ((events & EPOLLERR) != 0 || ((events & EPOLLHUP) != 0 && !connection->half_closed)) {
    fail(*connection, pending_error(connection->fd.get()));
    ++counters_.system_calls;
  }
  if (events & EPOLLRDHUP) connection->hung_up = true;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) connection->readable = true;
  if (!connection->writable && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
    connection->writable = true;
    if (!connection->output.empty() && flush(*connection, false) && connection->tells_drained) {
      connection->tells_drained = false;
      // A socket that has failed swallows what it is given.
      emit(EventKind::Drained, id, connection->failed ? 0 : 1);
    }
    if (Connection* source = find(connection->source)) schedule(*source);
  } else if (connection->failed) {
    if (Connection* source = find(connection->source)) schedule(*source);
  }
  say_broken(*connection);
  if (!connection->readable) return;
  switch (connection->reading) {
    // Heads are read at once, but for those of a connection that stands in line already: a peer that sends many must
    // not get ahead of the others by each segment. What may take long stands in line.
    case Connection::Reading::Head:
      if (!connection->queued) head_share(*connection);
      break;
    case Connection::Reading::Nothing: check_gone(*connection); break;
    default: schedule(*connection);
  }
}

void Loop::flush_events() {
  if (rows_ == 0) return;
  const size_t rows = rows_;
  host_.dispatch(rows);
  rows_ = 0;
  window_used_ = 0;
}

void Loop::emit(EventKind kind, Id id, double a, double b, double c, double d) {
  double* row = ring_ + rows_++ * kRow;
  row[0] = static_cast<double>(kind);
  row[1] = static_cast<double>(id);
  row[2] = a;
  row[3] = b;
  row[4] = c;
  row[5] = d;
}

// ---- deadlines

void Loop::set_deadline(Connection& connection, uint32_t timeout) {
  deadlines_[slot_of(connection.id)] = timeout == 0 ? 0 : uv_now(uv_) + timeout;
}

void Loop::sweep() {
  const uint64_t now = uv_now(uv_);
  in_turn_ = true;
  for (size_t slot = 0; slot < deadlines_.size(); ++slot) {
    if (deadlines_[slot] == 0 || deadlines_[slot] > now) continue;
    deadlines_[slot] = 0;
    if (rows_ + 8 > kRows || window_used_ + kMaxHead + kRead > kWindow) flush_events();
    if (connections_[slot]) expire(*connections_[slot]);
  }
  check_delivered();
  flush_events();
  if (!lacking_.empty()) {
    emit(EventKind::Short, 0, static_cast<double>(Call::Transfer), ENOMEM);
    for (const Id id : std::exchange(lacking_, {})) {
      if (rows_ + 8 > kRows || window_used_ + kMaxHead + kRead > kWindow) flush_events();
      handle(id, EPOLLIN | EPOLLOUT);
    }
    flush_events();
  }
  for (auto& listener : listeners_) listener->starved ? revive(*listener) : arm(*listener);
  flush_events();
  in_turn_ = false;
  if (!ready_.empty() || !corked_.empty()) wake();
}

void Loop::expire(Connection& connection) {
  if (connection.connecting) {
    const Id id = connection.id;
    destroy(connection, false);
    emit(EventKind::Connected, id, ETIMEDOUT);
    return;
  }
  switch (connection.reading) {
    case Connection::Reading::Head:
    case Connection::Reading::Bytes: end_read(connection, EndKind::Timeout); break;
    case Connection::Reading::Relay: {
      const Connection* sink = find(connection.relay->sink);
      const bool sink_is_slow = sink != nullptr && !sink->writable;
      end_relay(connection, sink_is_slow ? RelayEndKind::SinkStalled : RelayEndKind::SourceStalled);
      break;
    }
    case Connection::Reading::Linger: {
      const Id id = connection.id;
      destroy(connection, false);
      emit(EventKind::LingerEnd, id);
      break;
    }
    case Connection::Reading::Nothing: break;
  }
}

// ---- listeners

Id Loop::listen(const Address& address, const ListenOptions& options, Address& bound, int& error) {
  auto listener = std::make_unique<Listener>();
  listener->fd = listen_on(address, options, error);
  if (!listener->fd.valid()) return 0;
  bound.length = sizeof bound.storage;
  listener->id = next_listener_++;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = listener->id | kListenerBit;
  if (getsockname(listener->fd.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.length) != 0 ||
      epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener->fd.get(), &event) != 0) {
    error = errno;
    return 0;
  }
  const Id id = listener->id;
  listeners_.push_back(std::move(listener));
  update_reference();
  return id;
}

void Loop::admit(Id id, uint64_t count) {
  for (auto& listener : listeners_) {
    if (listener->id != id) continue;
    listener->room = count;
    arm(*listener);
  }
}

// Those that may not come in are left in the backlog. A call that fails is made again by the next sweep.
void Loop::arm(Listener& listener) {
  const bool wanted = listener.room > 0 && !listener.starved;
  if (listener.armed == wanted) return;
  epoll_event event{};
  event.events = wanted ? static_cast<uint32_t>(EPOLLIN) : 0u;
  event.data.u64 = listener.id | kListenerBit;
  ++counters_.system_calls;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, listener.fd.get(), &event) == 0) listener.armed = wanted;
}

void Loop::close_listener(Id id) {
  std::erase_if(listeners_, [id](const auto& listener) { return listener->id == id; });
  update_reference();
}

void Loop::handle_listener(Listener& listener) {
  if (listener.starved) return;
  for (int i = 0; i < kMaxAccepts && listener.room > 0 && rows_ + 8 < kRows; ++i) {
    Fd fd(accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    ++counters_.system_calls;
    if (!fd.valid()) {
      if (is_of_one_client(errno)) continue;
      if (errno != EAGAIN) starve(listener, Call::Accept, errno);
      return;
    }
    if (fd.get() >= bound_) {
      listener.held = std::move(fd);
      return starve(listener, Call::Accept, EMFILE);
    }
    if (!welcome(listener, fd)) return;
  }
  arm(listener);
}

bool Loop::welcome(Listener& listener, Fd& fd) {
  int error = 0;
  Connection* connection = adopt(fd, error);
  if (connection == nullptr) {
    reset_on_close(fd.get());
    starve(listener, Call::Watch, error);
    return false;
  }
  ++counters_.accepted;
  --listener.room;
  emit(EventKind::Accepted, connection->id, static_cast<double>(listener.id));
  return true;
}

// The backlog keeps the clients; the next sweep tries again.
void Loop::starve(Listener& listener, Call call, int error) {
  listener.starved = true;
  arm(listener);
  emit(EventKind::Short, listener.id, static_cast<double>(call), error);
}

void Loop::revive(Listener& listener) {
  if (rows_ + 8 > kRows) flush_events();
  if (listener.held.valid()) {
    if (listener.room == 0) return;
    Fd lower(fcntl(listener.held.get(), F_DUPFD_CLOEXEC, 0));
    ++counters_.system_calls;
    if (!lower.valid() || lower.get() >= bound_) return starve(listener, Call::Accept, EMFILE);
    listener.held.close();
    listener.starved = false;
    if (!welcome(listener, lower)) return;
  }
  listener.starved = false;
  arm(listener);
}

// ---- connecting

Id Loop::connect(const Address& address, const SocketOptions& options, uint32_t timeout, int& error) {
  Fd fd = connect_to(address, options, bound_, error);
  if (!fd.valid()) return 0;
  counters_.system_calls += 2;
  Connection* connection = adopt(fd, error);
  if (connection == nullptr) return 0;
  connection->connecting = true;
  connection->writable = false;
  set_deadline(*connection, timeout);
  return connection->id;
}

void Loop::finish_connect(Connection& connection) {
  const int error = pending_error(connection.fd.get());
  ++counters_.system_calls;
  const Id id = connection.id;
  connection.connecting = false;
  set_deadline(connection, 0);
  if (error != 0) {
    destroy(connection, false);
  } else {
    connection.writable = true;
    ++counters_.connected;
  }
  emit(EventKind::Connected, id, error);
}

bool Loop::addresses(Id id, Address& remote, Address& local) {
  const Connection* connection = find(id);
  if (connection == nullptr) return false;
  remote.length = local.length = sizeof remote.storage;
  counters_.system_calls += 2;
  // A peer that has reset already has no address any more: it is then shown as an empty one, and its reads end.
  getpeername(connection->fd.get(), reinterpret_cast<sockaddr*>(&remote.storage), &remote.length);
  getsockname(connection->fd.get(), reinterpret_cast<sockaddr*>(&local.storage), &local.length);
  return true;
}

// ---- reading

ssize_t Loop::receive(Connection& connection, char* into, size_t length, int flags) {
  ssize_t received;
  do {
    received = recv(connection.fd.get(), into, length, flags | MSG_DONTWAIT);
    ++counters_.system_calls;
  } while (received < 0 && errno == EINTR);
  if (received < 0) {
    if (passes(connection, errno)) {
      errno = EAGAIN;
    } else {
      fail(connection, errno);
    }
  }
  // A short read empties the socket; the next byte, or the FIN, raises a new edge.
  const bool drained = received < 0 ? errno == EAGAIN : static_cast<size_t>(received) < length;
  if (drained && received != 0 && !connection.hung_up && !connection.failed) connection.readable = false;
  return received;
}

void Loop::read_head(Id id, uint32_t max, uint32_t idle_timeout, uint32_t timeout) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->reading = Connection::Reading::Head;
  connection->max_head = std::min<uint32_t>(max, kMaxHead);
  connection->scanned = 0;
  connection->empty_lines = 0;
  connection->head_timeout = timeout;
  connection->head_begun = false;
  connection->idle_ends = false;
  connection->head_ends = false;
  set_deadline(*connection, idle_timeout);
  // What came behind the last message was nobody's business before.
  if (!connection->input.empty()) begin_head(*connection);
  if (connection->readable || !connection->input.empty()) schedule(*connection);
}

void Loop::end_idle(Id id) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->reading != Connection::Reading::Head) return;
  connection->idle_ends = true;
  // The kernel is asked once more: a request may have come of which no event has told yet.
  connection->readable = true;
  schedule(*connection);
}

void Loop::end_head(Id id) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->reading != Connection::Reading::Head) return;
  connection->head_ends = true;
  connection->readable = true;
  schedule(*connection);
}

void Loop::head_share(Connection& connection) {
  if (connection.scanned < connection.input.size()) {
    // What came behind the last message, before the socket is asked.
    take_head(connection, connection.input.data(), connection.input.size());
    if (connection.reading != Connection::Reading::Head) return;
  }
  while (connection.readable) {
    // What begins a head is read to where it will be shown; the rest of one stays with what there is of it.
    const size_t held = connection.input.size();
    char* into = held == 0 ? window_ + window_used_ : scratch_.get();
    const ssize_t received = receive(connection, into, held == 0 ? kRead : std::clamp<size_t>(held, 4096, kRead), 0);
    if (received > 0) {
      if (held == 0) {
        take_head(connection, into, static_cast<size_t>(received));
      } else {
        connection.input.append(into, static_cast<size_t>(received));
        take_head(connection, connection.input.data(), connection.input.size());
      }
      if (connection.reading != Connection::Reading::Head) return;
      if (!connection.head_begun && !connection.input.empty()) {
        // Once: empty lines neither begin a head nor put its deadline off.
        begin_head(connection);
      }
      continue;
    }
    if (received < 0 && errno == EAGAIN) {
      connection.readable = false;
      return;
    }
    return end_read(connection, end_kind(connection, received));
  }
}

// Part of a head is here: from now on it has a time of its own.
void Loop::begin_head(Connection& connection) {
  connection.head_begun = true;
  connection.head_since = uv_now(uv_);
  set_deadline(connection, connection.head_timeout);
}

// Milliseconds since a head has begun that did not come in one piece.
double Loop::head_age(const Connection& connection) const {
  return connection.head_begun ? static_cast<double>(uv_now(uv_) - connection.head_since) : 0;
}

// Shows a whole head, or what is none, or keeps what there is of one. `bytes` lie in the window, or are the
// connection's input, which is then neither moved nor copied while it grows.
void Loop::take_head(Connection& connection, const char* bytes, size_t length) {
  auto [skip, end] = find_head(bytes, length, connection.scanned);
  if (connection.empty_lines + skip / 2 > kMaxEmptyLines) {
    skip = 2 * (kMaxEmptyLines - connection.empty_lines);
    end = 2;
  }
  connection.empty_lines += static_cast<uint8_t>(skip / 2);
  const size_t rest = length - skip;
  const bool foreign = end == 0 && connection.scanned < kBeginning && begins_no_head(bytes + skip, rest);
  if (end == 0 && !foreign && rest < connection.max_head) {
    keep_input(connection, bytes, skip, rest);
    connection.scanned = static_cast<uint32_t>(rest);
    return;
  }
  const bool whole = end != 0 && end <= connection.max_head;
  const size_t shown = whole ? end : std::min<size_t>(rest, connection.max_head);
  const EventKind kind = whole ? EventKind::Head : foreign ? EventKind::HeadForeign : EventKind::HeadTooLarge;
  show(kind, connection, bytes + skip, shown);
  keep_input(connection, bytes, skip + shown, rest - shown);
  connection.reading = Connection::Reading::Nothing;
  connection.scanned = 0;
  set_deadline(connection, 0);
  recheck(connection);
}

// Puts bytes where JavaScript sees them.
void Loop::show(EventKind kind, Connection& connection, const char* bytes, size_t length) {
  char* at = window_ + window_used_;
  if (bytes != at) memmove(at, bytes, length);
  emit(kind, connection.id, static_cast<double>(window_used_), static_cast<double>(window_used_ + length),
       head_age(connection));
  window_used_ += (length + 7) & ~size_t{7};
}

void Loop::end_read(Connection& connection, EndKind kind) {
  const double received = static_cast<double>(connection.input.size());
  connection.reading = Connection::Reading::Nothing;
  set_deadline(connection, 0);
  emit(EventKind::ReadEnd, connection.id, static_cast<double>(kind), received, head_age(connection));
}

void Loop::read_bytes(Id id, uint32_t max) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->reading = Connection::Reading::Bytes;
  connection->max_head = std::min<uint32_t>(max, kMaxHead);
  if (connection->readable || !connection->input.empty()) schedule(*connection);
}

void Loop::bytes_share(Connection& connection) {
  if (!connection.input.empty()) {
    const size_t length = std::min<size_t>(connection.input.size(), connection.max_head);
    connection.reading = Connection::Reading::Nothing;
    show(EventKind::Data, connection, connection.input.data(), length);
    connection.input.erase(0, length);
    return recheck(connection);
  }
  if (!connection.readable) return;
  const ssize_t received = receive(connection, window_ + window_used_, connection.max_head, 0);
  if (received > 0) {
    connection.reading = Connection::Reading::Nothing;
    show(EventKind::Data, connection, window_ + window_used_, static_cast<size_t>(received));
    recheck(connection);
  } else if (received < 0 && errno == EAGAIN) {
    connection.readable = false;
  } else {
    end_read(connection, end_kind(connection, received));
  }
}

void Loop::cancel_read(Id id) {
  Connection* connection = find(id);
  if (connection != nullptr && connection->reading == Connection::Reading::Bytes) {
    connection->reading = Connection::Reading::Nothing;
    recheck(*connection);
  }
}

void Loop::unread(Id id, const char* bytes, size_t length) {
  if (Connection* connection = find(id)) connection->input.insert(0, bytes, length);
}

void Loop::tell_broken(Id id, bool wanted) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->tells_broken = wanted;
  if (wanted && connection->failed) schedule(*connection);
}

void Loop::say_broken(Connection& connection) {
  if (!connection.failed) return;
  if (connection.tells_drained) {
    connection.tells_drained = false;
    emit(EventKind::Drained, connection.id, 0, connection.lost);
  }
  if (connection.tells_broken) {
    connection.tells_broken = false;
    emit(EventKind::Broken, connection.id, 0, connection.lost);
  }
}

void Loop::watch(Id id, bool watched, bool data) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->watched = watched;
  connection->watched_for_data = data;
  connection->told_end = false;
  if (watched && (connection->readable || !connection->input.empty())) schedule(*connection);
}

bool Loop::is_quiet(Id id) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->failed || connection->hung_up || !connection->input.empty()) return false;
  if (!connection->readable) return true;
  // The flag may be old: a relay stops reading at its last byte.
  char byte;
  if (receive(*connection, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN) return false;
  connection->readable = false;
  return true;
}

void Loop::check_gone(Connection& connection) {
  if (!connection.watched) return;
  if (!connection.failed && !connection.hung_up) {
    if (!connection.watched_for_data) return;
    char byte;
    if (connection.input.empty()) {
      const ssize_t received = receive(connection, &byte, 1, MSG_PEEK);
      if (received < 0 && errno == EAGAIN) {
        connection.readable = false;
        return;
      }
      if (received == 0) connection.hung_up = true;
    }
  }
  GoneKind why = connection.lost ? GoneKind::Lost : connection.failed ? GoneKind::Reset : GoneKind::Data;
  if (connection.hung_up && !connection.failed) {
    // Watched on: a reset may follow.
    if (connection.told_end) return;
    connection.told_end = true;
    why = GoneKind::End;
  } else {
    connection.watched = false;
  }
  emit(EventKind::Gone, connection.id, static_cast<double>(why));
}

// A reader is done that has not been told of an end which has come behind what it read: the watcher is to know of it.
void Loop::recheck(Connection& connection) {
  if (connection.watched && (connection.hung_up || connection.failed)) schedule(connection);
}

void Loop::fail(Connection& connection, int error) {
  connection.failed = true;
  // Nobody said no: the kernel gave up because nothing was acknowledged, or because there is no way any more.
  if (error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH) connection.lost = true;
}

bool Loop::passes(const Connection& connection, int error) {
  if (lacks_memory(error)) lacking_.push_back(connection.id);
  return error == EAGAIN || lacks_memory(error);
}

// ---- writing

// True when nothing is left in user space. A failed socket swallows its output: its readers will see the end.
bool Loop::flush(Connection& connection, bool more) {
  size_t sent = 0;
  while (sent < connection.output.size()) {
    const ssize_t n = ::send(connection.fd.get(), connection.output.data() + sent, connection.output.size() - sent,
                             MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    ++counters_.system_calls;
    if (n >= 0) {
      sent += static_cast<size_t>(n);
      connection.unpushed = more;
    } else if (passes(connection, errno)) {
      connection.writable = false;
      break;
    } else if (errno != EINTR) {
      fail(connection, errno);
      sent = connection.output.size();
    }
  }
  if (sent < connection.output.size()) {
    connection.output.erase(0, sent);
    return false;
  }
  std::string().swap(connection.output);
  if (connection.ends) send_fin(connection);
  if (connection.reading == Connection::Reading::Linger && !connection.queued) schedule(connection);
  return true;
}

// What was sent with MSG_MORE leaves now: the kernel waits up to 200 ms for what is to follow it, tcp(7).
void Loop::push(Connection& connection) {
  connection.unpushed = false;
  push_pending(connection.fd.get());
  ++counters_.system_calls;
}

bool Loop::send(Id id, std::string_view bytes, bool more) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->failed || connection->ends) return false;
  connection->output.append(bytes);
  if (connection->writable) {
    // A peer whose next request is here already gets its answers together: a system call for each is most of what a
    // refusal costs.
    const bool gathers = !connection->input.empty() && connection->output.size() < kGathered;
    if (more || gathers) {
      cork(*connection);
    } else {
      flush(*connection, false);
    }
  }
  return connection->output.size() > kMaxQueued;
}

void Loop::cork(Connection& connection) {
  if (!connection.corked) corked_.push_back(connection.id);
  connection.corked = true;
  wake();
}

bool Loop::drained(Id id, bool& alive) {
  Connection* connection = find(id);
  alive = connection != nullptr && !connection->failed;
  if (!alive) return false;
  const bool taken = connection->output.empty() || (connection->writable && flush(*connection, false));
  alive = !connection->failed;
  if (!taken && alive) connection->tells_drained = true;
  return taken;
}

Loop::Written Loop::write(Id id, const char* bytes, size_t length) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->ends) return Written::Gone;
  const bool taken = deliver(*connection, bytes, length, false);
  if (connection->failed) return connection->lost ? Written::Lost : Written::Gone;
  if (!taken) connection->tells_drained = true;
  return taken ? Written::Taken : Written::Waits;
}

// Hands bytes to the kernel, and keeps in memory what it does not take. True when it took all.
bool Loop::deliver(Connection& sink, const char* bytes, size_t length, bool more) {
  if (sink.failed) return true;
  if (!sink.output.empty() || !sink.writable) {
    sink.output.append(bytes, length);
    return sink.writable && flush(sink, more);
  }
  size_t sent = 0;
  while (sent < length) {
    const ssize_t n = ::send(sink.fd.get(), bytes + sent, length - sent,
                             MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0));
    ++counters_.system_calls;
    if (n >= 0) {
      sent += static_cast<size_t>(n);
      sink.unpushed = more;
    } else if (passes(sink, errno)) {
      sink.writable = false;
      sink.output.assign(bytes + sent, length - sent);
      return false;
    } else if (errno != EINTR) {
      fail(sink, errno);
      return true;
    }
  }
  return true;
}

// ---- endings

void Loop::end(Id id) {
  Connection* connection = find(id);
  if (connection == nullptr || connection->failed || connection->ends) return;
  connection->ends = true;
  if (connection->output.empty()) {
    send_fin(*connection);
  } else if (connection->writable) {
    flush(*connection, false);
  }
}

void Loop::send_fin(Connection& connection) {
  if (connection.half_closed) return;
  // Fails where the peer has reset: whoever reads from it sees that, too.
  shutdown(connection.fd.get(), SHUT_WR);
  ++counters_.system_calls;
  connection.half_closed = true;
}

void Loop::linger(Id id, uint64_t bytes, uint32_t timeout, bool delivers) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  connection->reading = Connection::Reading::Linger;
  connection->linger_bytes = bytes;
  if (delivers) delivering_.push_back(id);
  set_deadline(*connection, std::max<uint32_t>(timeout, 1));
  schedule(*connection);
}

void Loop::linger_share(Connection& connection) {
  const Id id = connection.id;
  if (!connection.output.empty() && (!connection.writable || !flush(connection, false)) && !connection.failed) return;
  // The close will say it to a peer that has ended already.
  if (!connection.hung_up) send_fin(connection);
  std::string().swap(connection.input);
  size_t share = 4 << 20;
  bool ended = connection.linger_bytes == 0;
  while (connection.readable && share > 0 && !ended) {
    const size_t wanted = std::min<uint64_t>(connection.linger_bytes, share);
    const ssize_t received = receive(connection, nullptr, wanted, MSG_TRUNC);
    if (received < 0 && errno == EAGAIN) {
      connection.readable = false;
      break;
    }
    if (received <= 0) {
      ended = true;
      break;
    }
    counters_.discarded += static_cast<uint64_t>(received);
    share -= static_cast<size_t>(received);
    connection.linger_bytes -= static_cast<uint64_t>(received);
    ended = connection.linger_bytes == 0;
  }
  if (ended || (connection.delivered && !connection.readable)) {
    destroy(connection, false);
    emit(EventKind::LingerEnd, id);
  } else if (connection.readable) {
    schedule(connection);
  }
}

// Acknowledgements raise no event, so the sweep asks: everything sent has arrived, the FIN included. What has come until
// then is thrown away first, else the close would be a reset.
void Loop::check_delivered() {
  std::erase_if(delivering_, [this](Id id) {
    Connection* connection = find(id);
    if (connection == nullptr) return true;
    if (!connection->half_closed || unacknowledged(connection->fd.get()) > 0) return false;
    connection->readable = true;
    connection->delivered = true;
    schedule(*connection);
    return true;
  });
}

void Loop::close(Id id, bool reset) {
  Connection* connection = find(id);
  if (connection == nullptr) return;
  if (!reset && connection->writable && !connection->output.empty()) flush(*connection, false);
  destroy(*connection, reset);
}

bool Loop::tcp_info(Id id, uint32_t& rtt, uint32_t& retransmits) {
  const Connection* connection = find(id);
  if (connection == nullptr) return false;
  struct ::tcp_info info{};
  socklen_t length = sizeof info;
  ++counters_.system_calls;
  if (getsockopt(connection->fd.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return false;
  rtt = info.tcpi_rtt;
  retransmits = info.tcpi_total_retrans;
  return true;
}

}  // namespace sluice
