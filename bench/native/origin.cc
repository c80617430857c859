// origin [--port P]: the server behind every proxy that is measured. One thread, keep-alive, no copies of bodies.
//   POST, PUT any path        drains the body, answers {"bytes":N}; `Expect: 100-continue` is answered with 100
//   GET  /bytes/N /chunked/N  N bytes, by Content-Length or in chunks of 64 KiB
//   GET  /small               1 KiB
//   any  /slow, /slow/N       the same at 160 KiB/s, for streams that are to stay open
//   GET  /truncated/N, /truncated-chunked/N   announces N bytes, sends half, closes
//   GET  /status/CODE         an empty answer
//   GET  /stats               requests, body bytes received and first-byte delays since the last /stats
// A request's `X-Sent-At` is when its client began to send it (CLOCK_MONOTONIC, ns); the delay until the first
// byte of its body is here is recorded. SIGUSR1 prints the totals; SIGTERM prints them and ends.
#include <signal.h>
#include <sys/signalfd.h>

#include <memory>
#include <unordered_set>
#include <vector>

#include "body.h"
#include "http.h"
#include "loop.h"

namespace {

constexpr uint64_t slow_tick_ns = 100'000'000;
constexpr uint64_t slow_bytes = 16u << 10;
/// A body over this is moved as bulk, behind everything urgent.
constexpr uint64_t bulk_from = 64u << 10;

struct Stats {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  std::vector<uint64_t> first_byte_ns;

  std::string json() {
    std::sort(first_byte_ns.begin(), first_byte_ns.end());
    auto at = [&](double share) {
      if (first_byte_ns.empty()) return 0.0;
      size_t index = static_cast<size_t>(share * static_cast<double>(first_byte_ns.size() - 1) + 0.5);
      return static_cast<double>(first_byte_ns[index]) / 1000.0;
    };
    char text[256];
    snprintf(text, sizeof text,
             "{\"requests\":%lu,\"bytes\":%lu,\"firstByte\":{\"count\":%zu,\"p50Us\":%.1f,\"p99Us\":%.1f}}",
             static_cast<unsigned long>(requests), static_cast<unsigned long>(bytes), first_byte_ns.size(), at(0.5),
             at(0.99));
    return text;
  }
};

class Connection;

struct Origin {
  Loop loop;
  Payload plain{false};
  Payload chunked{true};
  Stats since_start, since_asked;
  std::unordered_set<Connection*> slow;
  std::vector<std::unique_ptr<Connection>> gone;
};

class Connection : public Watcher {
 public:
  Connection(Origin& origin, Fd fd) : origin_(origin), fd_(std::move(fd)) {
    set_option(fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
    origin_.loop.add(fd_.get(), this, EPOLLIN, service_);
  }

  void ready(uint32_t events) override {
    if (!fd_) return;
    if (!slow_) return advance(turn);
    // A slow one is served by the clock; epoll tells only of its death, and would never stop telling.
    if (events & (EPOLLERR | EPOLLHUP)) leave();
  }

  /// One slow step; called by the clock.
  void tick() { advance(slow_bytes); }

 private:
  enum class State { head, body, answer };

  void advance(uint64_t limit) {
    Flow flow = Flow::done;
    while (fd_ && flow == Flow::done) {
      if (state_ == State::head) flow = read_head();
      else if (state_ == State::body) flow = read_body(limit);
      else flow = write_answer(limit);
    }
    if (flow == Flow::ended || flow == Flow::malformed) return leave();
    if (fd_) listen_for(state_ == State::answer ? EPOLLOUT : EPOLLIN);
  }

  Flow read_head() {
    char bytes[16384];
    ssize_t got = recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got == 0) return Flow::ended;
    if (got < 0) return errno == EAGAIN ? Flow::blocked : Flow::ended;
    received_.append(bytes, static_cast<size_t>(got));
    auto head = Head::find(received_);
    if (!head) return received_.size() < sizeof bytes ? Flow::blocked : Flow::malformed;
    if (!begin(*head)) return Flow::malformed;
    std::string_view rest = std::string_view(received_).substr(head->size);
    if (!rest.empty()) {
      if (body_.feed(rest.data(), rest.size()) != static_cast<ssize_t>(rest.size())) return Flow::malformed;
      saw_body();
    }
    received_.clear();
    state_ = State::body;
    return Flow::done;
  }

  /// Reads what the request asks for.
  bool begin(const Head& head) {
    std::string_view line = head.start_line();
    size_t space = line.find(' '), second = line.rfind(' ');
    if (space == std::string_view::npos || second <= space) return false;
    method_ = line.substr(0, space);
    path_ = line.substr(space + 1, second - space - 1);
    old_ = line.ends_with("HTTP/1.0");
    close_ = head.field_is("connection", "close") || (old_ && !head.field_is("connection", "keep-alive"));
    sent_at_ = number(head.field("x-sent-at")).value_or(0);
    uint64_t length = number(head.field("content-length")).value_or(0);
    if (head.field_is("transfer-encoding", "chunked")) body_.begin_chunked();
    else body_.begin_length(length);
    if (path_.starts_with("/slow")) go_slow(true);
    if (body_.chunked() || length > bulk_from) serve_as(Service::bulk);
    if (head.field_is("expect", "100-continue")) {
      static constexpr std::string_view proceed = "HTTP/1.1 100 Continue\r\n\r\n";
      if (send(fd_.get(), proceed.data(), proceed.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(proceed.size()))
        return false;
    }
    return true;
  }

  void saw_body() {
    if (sent_at_ == 0 || body_.bytes() == 0) return;
    origin_.since_start.first_byte_ns.push_back(now_ns() - sent_at_);
    origin_.since_asked.first_byte_ns.push_back(now_ns() - sent_at_);
    sent_at_ = 0;
  }

  Flow read_body(uint64_t limit) {
    Flow flow = body_.step(fd_.get(), limit);
    saw_body();
    if (flow != Flow::done) return flow;
    if (path_ != "/stats") {
      for (Stats* stats : {&origin_.since_start, &origin_.since_asked}) {
        stats->requests++;
        stats->bytes += body_.bytes();
      }
    }
    compose();
    state_ = State::answer;
    return flow;
  }

  void compose() {
    auto asked = [&](std::string_view prefix) {
      return path_.starts_with(prefix) ? number(std::string_view(path_).substr(prefix.size())) : std::nullopt;
    };
    if (method_ == "POST" || method_ == "PUT") return small("200 OK", "{\"bytes\":" + std::to_string(body_.bytes()) + "}\n");
    if (auto n = asked("/bytes/")) return stream(*n, *n, false);
    if (auto n = asked("/slow/")) return stream(*n, *n, false);
    if (auto n = asked("/chunked/")) return stream(*n, *n, true);
    if (auto n = asked("/truncated/")) return stream(*n, *n / 2, false);
    if (auto n = asked("/truncated-chunked/")) return stream(*n, *n / 2, true);
    if (auto n = asked("/status/")) return small(std::to_string(*n) + " Asked For", "");
    if (path_ == "/small" || path_.ends_with("/_search")) return small("200 OK", std::string(1023, 'x') + "\n");
    if (path_ == "/stats") return small("200 OK", std::exchange(origin_.since_asked, {}).json() + "\n");
    small("404 Not Found", "");
  }

  void small(std::string_view status, std::string body) {
    answer_.text(head(status, "content-length: " + std::to_string(body.size()) + "\r\n") + std::move(body));
  }

  /// Announces `announced` bytes and sends `sent`; where that is less, closes after them.
  void stream(uint64_t announced, uint64_t sent, bool chunked) {
    if (announced > bulk_from) serve_as(Service::bulk);
    if (sent < announced) close_ = true;
    if (chunked && old_) {
      close_ = true;
      answer_.text(head("200 OK", ""));
      answer_.payload(origin_.plain, sent);
    } else if (chunked && sent < announced) {
      answer_.text(head("200 OK", "transfer-encoding: chunked\r\n"));
      answer_.payload(origin_.chunked, sent);
    } else if (chunked) {
      answer_.text(head("200 OK", "transfer-encoding: chunked\r\n"));
      answer_.chunks(origin_.chunked, origin_.plain, sent);
    } else {
      answer_.text(head("200 OK", "content-length: " + std::to_string(announced) + "\r\n"));
      answer_.payload(origin_.plain, sent);
    }
  }

  std::string head(std::string_view status, const std::string& framing) const {
    std::string text = "HTTP/1.1 " + std::string(status) + "\r\nserver: origin\r\ncontent-type: application/json\r\n";
    text += framing;
    if (close_) text += "connection: close\r\n";
    else if (old_) text += "connection: keep-alive\r\n";
    return text + "\r\n";
  }

  Flow write_answer(uint64_t limit) {
    Flow flow = answer_.step(fd_.get(), limit);
    if (flow != Flow::done) return flow;
    if (close_) {
      shutdown(fd_.get(), SHUT_WR);
      return Flow::ended;
    }
    state_ = State::head;
    go_slow(false);
    serve_as(Service::urgent);
    return Flow::done;
  }

  void listen_for(uint32_t events) {
    if (slow_) events = 0;
    if (events == events_) return;
    events_ = events;
    origin_.loop.change(fd_.get(), this, events, service_);
  }

  void serve_as(Service service) {
    if (service == service_) return;
    origin_.loop.remove(fd_.get(), service_);
    origin_.loop.add(fd_.get(), this, events_, service_ = service);
  }

  void go_slow(bool slow) {
    if (slow == slow_) return;
    slow_ = slow;
    if (slow) origin_.slow.insert(this);
    else origin_.slow.erase(this);
  }

  /// The object outlives the batch of events in which it closed.
  void leave() {
    if (!fd_) return;
    origin_.slow.erase(this);
    Fd closed = std::move(fd_);
    origin_.gone.emplace_back(this);
  }

  Origin& origin_;
  Fd fd_;
  State state_ = State::head;
  Service service_ = Service::urgent;
  uint32_t events_ = EPOLLIN;
  std::string received_, method_, path_;
  bool old_ = false, close_ = false, slow_ = false;
  uint64_t sent_at_ = 0;
  Incoming body_;
  Outgoing answer_;
};

class Acceptor : public Watcher {
 public:
  Acceptor(Origin& origin, uint16_t port) : origin_(origin), fd_(listen_on(port)) {
    origin.loop.add(fd_.get(), this, EPOLLIN, Service::urgent);
  }
  uint16_t port() const { return port_of(fd_.get()); }
  void ready(uint32_t) override {
    for (int i = 0; i < 64; i++) {
      Fd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) {
        if (errno == EMFILE) die("out of descriptors");
        return;
      }
      // It deletes itself by way of Origin::gone.
      new Connection(origin_, std::move(fd));
    }
  }

 private:
  Origin& origin_;
  Fd fd_;
};

class Signals : public Watcher {
 public:
  explicit Signals(Origin& origin) : origin_(origin) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    origin.loop.add(fd_.get(), this, EPOLLIN, Service::urgent);
  }
  void ready(uint32_t) override {
    signalfd_siginfo info;
    while (read(fd_.get(), &info, sizeof info) == sizeof info) {
      printf("%s\n", origin_.since_start.json().c_str());
      fflush(stdout);
      if (info.ssi_signo == SIGTERM) origin_.loop.stop();
    }
  }

 private:
  Origin& origin_;
  Fd fd_;
};

}  // namespace

int main(int argc, char** argv) {
  uint16_t port = 0;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) port = static_cast<uint16_t>(atoi(argv[++i]));
    else die("usage: origin [--port P]");
  }
  raise_open_files();
  signal(SIGPIPE, SIG_IGN);
  Origin origin;
  Signals signals(origin);
  Acceptor acceptor(origin, port);
  Timer clock(origin.loop, [&] {
    std::vector<Connection*> due(origin.slow.begin(), origin.slow.end());
    for (Connection* connection : due) connection->tick();
  });
  clock.every(slow_tick_ns);
  printf("ready %u\n", acceptor.port());
  fflush(stdout);
  origin.loop.run([&] { origin.gone.clear(); });
  return 0;
}
