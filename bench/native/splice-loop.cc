// splice-loop --listen P --upstream Q: the floor under every proxy. Accepts, connects, and moves bytes both ways
// by splice(2) through pooled pipes of 1 MiB. It reads no HTTP and decides nothing.
#include <signal.h>
#include <sys/epoll.h>

#include <memory>
#include <vector>

#include "net.h"

namespace {

constexpr size_t pipe_size = 1u << 20;
/// As many as an unprivileged user may hold at that size.
constexpr size_t pooled_pipes = 64;

/// A pipe's two ends. It is dropped, not pooled, when it still holds bytes.
struct Pipe {
  Fd out, in;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) die("pipe: %s", strerror(errno));
    out = Fd(ends[0]);
    in = Fd(ends[1]);
    // Over the user's quota it stays at the size the kernel gave it.
    fcntl(in.get(), F_SETPIPE_SZ, pipe_size);
  }
};

using Pool = std::vector<std::unique_ptr<Pipe>>;

/// One direction of a pair of sockets.
struct Lane {
  int source = -1, sink = -1;
  std::unique_ptr<Pipe> pipe;
  size_t held = 0;
  bool ended = false;

  enum class Turn { idle, more, failed };

  /// Moves at most a pipe's worth. A pipe is filled only when empty, so EAGAIN on filling means a dry source.
  Turn move(Pool& pool) {
    size_t moved = 0;
    while (moved < pipe_size) {
      if (held == 0) {
        if (ended) break;
        if (!pipe && !pool.empty()) {
          pipe = std::move(pool.back());
          pool.pop_back();
        }
        if (!pipe) pipe = std::make_unique<Pipe>();
        ssize_t in = splice(source, nullptr, pipe->in.get(), nullptr, pipe_size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (in < 0 && errno != EAGAIN) return Turn::failed;
        if (in == 0) {
          ended = true;
          shutdown(sink, SHUT_WR);
        }
        if (in <= 0) return give_back(pool, Turn::idle);
        held = static_cast<size_t>(in);
      }
      ssize_t out = splice(pipe->out.get(), nullptr, sink, nullptr, held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (out < 0) return errno == EAGAIN ? Turn::idle : Turn::failed;
      held -= static_cast<size_t>(out);
      moved += static_cast<size_t>(out);
    }
    return give_back(pool, ended ? Turn::idle : Turn::more);
  }

 private:
  Turn give_back(Pool& pool, Turn turn) {
    if (held == 0 && pipe && pool.size() < pooled_pipes) pool.push_back(std::move(pipe));
    if (held == 0) pipe.reset();
    return turn;
  }
};

class Pair;

struct Splicer {
  Fd epoll{epoll_create1(EPOLL_CLOEXEC)};
  Pool pool;
  uint16_t upstream = 0;
  std::vector<Pair*> waiting;
  std::vector<std::unique_ptr<Pair>> gone;
};

/// Both sockets of one client. Edge-triggered: registered once, no further epoll_ctl.
class Pair {
 public:
  Pair(Splicer& splicer, Fd client, Fd server)
      : splicer_(splicer), client_(std::move(client)), server_(std::move(server)) {
    up_.source = down_.sink = client_.get();
    up_.sink = down_.source = server_.get();
    set_option(client_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    for (const Fd* fd : {&client_, &server_}) {
      epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = this}};
      epoll_ctl(splicer_.epoll.get(), EPOLL_CTL_ADD, fd->get(), &event);
    }
  }

  void ready() {
    if (!client_) return;
    bool more = false;
    for (Lane* lane : {&up_, &down_}) {
      Lane::Turn turn = lane->move(splicer_.pool);
      if (turn == Lane::Turn::failed) return leave();
      more |= turn == Lane::Turn::more;
    }
    if (up_.ended && down_.ended && up_.held + down_.held == 0) return leave();
    if (more && !waiting_) splicer_.waiting.push_back(this);
    waiting_ = more;
  }

  void again() {
    waiting_ = false;
    ready();
  }

 private:
  void leave() {
    Fd client = std::move(client_), server = std::move(server_);
    splicer_.gone.emplace_back(this);
  }

  Splicer& splicer_;
  Fd client_, server_;
  Lane up_, down_;
  bool waiting_ = false;
};

void accept_all(Splicer& splicer, int listener) {
  while (true) {
    Fd client(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!client) return;
    // It deletes itself by way of Splicer::gone. Where the server refuses, the client is closed.
    if (Fd server = connect_to(splicer.upstream)) new Pair(splicer, std::move(client), std::move(server));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Splicer splicer;
  uint16_t port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    uint16_t value = static_cast<uint16_t>(atoi(argv[i + 1]));
    if (strcmp(argv[i], "--listen") == 0) port = value;
    if (strcmp(argv[i], "--upstream") == 0) splicer.upstream = value;
  }
  if (port == 0 || splicer.upstream == 0) die("usage: splice-loop --listen P --upstream Q");
  raise_open_files();
  signal(SIGPIPE, SIG_IGN);

  Fd listener = listen_on(port);
  epoll_event accepting{.events = EPOLLIN, .data = {.ptr = nullptr}};
  epoll_ctl(splicer.epoll.get(), EPOLL_CTL_ADD, listener.get(), &accepting);
  epoll_event events[256];
  while (true) {
    int count = epoll_wait(splicer.epoll.get(), events, 256, splicer.waiting.empty() ? -1 : 0);
    std::vector<Pair*> waiting = std::exchange(splicer.waiting, {});
    for (int i = 0; i < count; i++) {
      if (auto* pair = static_cast<Pair*>(events[i].data.ptr)) pair->ready();
      else accept_all(splicer, listener.get());
    }
    for (Pair* pair : waiting) pair->again();
    splicer.gone.clear();
  }
}
