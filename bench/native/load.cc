// load --to PORT [--deadline SECONDS] GROUP...: the client side of every measurement, one thread, no copies of
// bodies. Prints one JSON object. A wrong status, a short, long or failed response ends it with exit 1.
// GROUP is kind[:key=value,...]; groups run at the same time.
//   up up-chunked      POST `bytes` by Content-Length, or in chunks of 64 KiB; the answer must count them all
//   down down-chunked  GET `bytes` with the same framing
//   get post           1 KiB either way, with the latency of each
//   hold-up hold-down  begin `bytes` with a server (a client) that takes 160 KiB/s, and stay in mid body
//   idle               one GET per connection, then stay
// conns=K at once; requests=N in all or seconds=S; rate=R a second for get and post (the latency then counts from
// when a request was due, so a stall is not hidden); path=/P instead of the kind's own.
// Where a group stays, `holding N` is printed once all are there, and SIGTERM ends it; a connection lost by then
// is a failure.
#include <signal.h>
#include <sys/signalfd.h>

#include <map>
#include <memory>
#include <vector>

#include "body.h"
#include "http.h"
#include "loop.h"

namespace {

constexpr uint64_t hold_tick_ns = 100'000'000;
constexpr uint64_t hold_bytes = 16u << 10;
constexpr uint64_t connecting_at_once = 64;

enum class Kind { up, down, small, hold_up, hold_down, idle };

struct Group;

struct Load {
  Loop loop;
  uint16_t port = 0;
  Payload plain{false};
  Payload chunked{true};
  std::vector<std::unique_ptr<Group>> groups;

  bool said_holding = false;

  void after_turn();
  bool stays() const;
};

[[noreturn]] void fail(const Group& group, const std::string& why);

class Client;

struct Group {
  Load& load;
  std::string name;
  Kind kind;
  bool chunked = false, post = false;
  uint64_t conns = 1, requests = UINT64_MAX, seconds = 0, rate = 0, bytes = 100'000'000;
  std::string path;

  std::vector<std::unique_ptr<Client>> clients;
  std::vector<Client*> free;
  std::unique_ptr<Timer> clock;
  std::vector<uint32_t> latency_us_tenths;
  uint64_t begun = 0, ended = 0, body_bytes = 0, held = 0;
  uint64_t started_at = 0, ended_at = 0, next_due = 0;

  explicit Group(Load& owner, const std::string& spec);
  void start();
  void open_more();
  void dispatch();
  /// True while another request is to begin.
  bool wants_more() const {
    return begun < requests && (seconds == 0 || now_ns() < started_at + seconds * 1'000'000'000u);
  }
  bool stays() const { return kind == Kind::hold_up || kind == Kind::hold_down || kind == Kind::idle; }
  bool bulk() const { return kind != Kind::small && kind != Kind::idle; }
  bool finished() const { return !wants_more() && begun == ended; }
  std::string json();
};

/// One connection and the request on it.
class Client : public Watcher {
 public:
  explicit Client(Group& group) : group_(group) {}

  void connect() {
    fd_ = connect_to(group_.load.port);
    if (!fd_) fail(group_, std::string("connect: ") + strerror(errno));
    // What a held stream keeps in the kernel would otherwise grow to megabytes, a thousand times.
    if (group_.stays()) {
      set_option(fd_.get(), SOL_SOCKET, SO_SNDBUF, 64 << 10);
      set_option(fd_.get(), SOL_SOCKET, SO_RCVBUF, 64 << 10);
    }
    group_.load.loop.add(fd_.get(), this, events_ = EPOLLIN, service());
  }

  void begin(uint64_t due) {
    if (!fd_) connect();
    due_ = due;
    group_.begun++;
    state_ = State::head;
    compose();
    write();
  }

  void ready(uint32_t events) override {
    if (!fd_) return;
    if (state_ == State::idle || state_ == State::held) {
      if (state_ == State::held && !(events & (EPOLLERR | EPOLLHUP))) return;
      return lost();
    }
    if (events & EPOLLOUT) write();
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) read();
  }

  /// A slow reader's sip; called by the clock.
  void sip() {
    Flow flow = body_.step(fd_.get(), hold_bytes);
    if (flow != Flow::more && flow != Flow::blocked) fail(group_, "a held stream ended");
  }

 private:
  enum class State { idle, head, body, held };

  Service service() const { return group_.bulk() ? Service::bulk : Service::urgent; }

  void listen_for(uint32_t events) {
    if (events != events_) group_.load.loop.change(fd_.get(), this, events_ = events, service());
  }

  void compose() {
    const Group& g = group_;
    bool sends = g.post || g.kind == Kind::up || g.kind == Kind::hold_up;
    char sent_at[48];
    snprintf(sent_at, sizeof sent_at, "x-sent-at: %lu\r\n", static_cast<unsigned long>(now_ns()));
    std::string head = (sends ? "POST " : "GET ") + g.path + " HTTP/1.1\r\nhost: bench\r\nuser-agent: load\r\n";
    if (sends) {
      head += "content-type: application/x-ndjson\r\n";
      head += g.chunked ? "transfer-encoding: chunked\r\n" : "content-length: " + std::to_string(g.bytes) + "\r\n";
      if (g.kind == Kind::up) head += sent_at;
    }
    head += "\r\n";
    if (g.post) return out_.text(head + std::string(g.bytes, 'x'));
    out_.text(std::move(head));
    if (!sends) return;
    if (g.chunked) out_.chunks(g.load.chunked, g.load.plain, g.bytes);
    else out_.payload(g.load.plain, g.bytes);
  }

  void write() {
    Flow flow = out_.step(fd_.get());
    // A server that answers early may close, too: what it said comes first.
    if (flow == Flow::ended) out_.clear();
    if (flow == Flow::blocked && group_.kind == Kind::hold_up) hold();
    listen_for(out_.empty() ? EPOLLIN : EPOLLIN | EPOLLOUT);
  }

  void hold() {
    if (holding_) return;
    holding_ = true;
    group_.held++;
  }

  void read() {
    Flow flow = Flow::done;
    if (state_ == State::head) flow = read_head();
    if (flow == Flow::done && state_ == State::body) {
      if (group_.kind == Kind::hold_down) {
        state_ = State::held;
        listen_for(0);
        return hold();
      }
      flow = body_.step(fd_.get());
      if (flow == Flow::done) return finish();
    }
    if (flow == Flow::ended) fail(group_, state_ == State::head ? "closed before an answer" : "a response ended early");
    if (flow == Flow::malformed) fail(group_, "a malformed response");
  }

  Flow read_head() {
    char bytes[16384];
    ssize_t got = recv(fd_.get(), bytes, sizeof bytes, 0);
    if (got == 0) return Flow::ended;
    if (got < 0) return errno == EAGAIN ? Flow::blocked : Flow::ended;
    received_.append(bytes, static_cast<size_t>(got));
    auto head = Head::find(received_);
    if (!head) return received_.size() < sizeof bytes ? Flow::blocked : Flow::malformed;
    std::string_view line = head->start_line();
    if (line.starts_with("HTTP/1.1 100 ")) {
      received_.erase(0, head->size);
      return received_.empty() ? Flow::blocked : read_head();
    }
    if (!line.starts_with("HTTP/1.1 200 ")) fail(group_, "answered " + std::string(line));
    close_ = head->field_is("connection", "close");
    bool chunked = head->field_is("transfer-encoding", "chunked");
    auto length = number(head->field("content-length"));
    if (!chunked && !length) return Flow::malformed;
    if (group_.kind == Kind::down && chunked != group_.chunked) fail(group_, "answered with the other framing");
    if (chunked) body_.begin_chunked();
    else body_.begin_length(*length);
    std::string_view rest = std::string_view(received_).substr(head->size);
    if (body_.feed(rest.data(), rest.size()) != static_cast<ssize_t>(rest.size())) return Flow::malformed;
    if (sends() && rest.starts_with("{\"bytes\":")) counted_ = strtoull(rest.data() + 9, nullptr, 10);
    received_.clear();
    state_ = State::body;
    return Flow::done;
  }

  bool sends() const { return group_.post || group_.kind == Kind::up; }

  void finish() {
    Group& g = group_;
    uint64_t now = now_ns();
    if (!out_.empty()) fail(g, "answered before the body was sent");
    if (sends() && counted_ != g.bytes)
      fail(g, "the server counted " + std::to_string(counted_) + " bytes of " + std::to_string(g.bytes));
    uint64_t expected = g.kind == Kind::down ? g.bytes : g.kind == Kind::small && !g.post ? 1024 : body_.bytes();
    if (body_.bytes() != expected) fail(g, "a response of " + std::to_string(body_.bytes()) + " bytes");
    if (g.kind == Kind::small) g.latency_us_tenths.push_back(static_cast<uint32_t>((now - due_) / 100));
    g.body_bytes += g.kind == Kind::up || g.post ? g.bytes : body_.bytes();
    g.ended++;
    g.ended_at = now;
    counted_ = 0;
    state_ = State::idle;
    if (close_) Fd closed = std::move(fd_);
    else listen_for(EPOLLIN);
    if (g.kind == Kind::idle) return hold();
    g.free.push_back(this);
    g.dispatch();
  }

  /// A server may close a connection that idles, unless idling is what is measured.
  void lost() {
    if (group_.stays()) fail(group_, "a held connection was closed");
    Fd closed = std::move(fd_);
  }

  Group& group_;
  Fd fd_;
  State state_ = State::idle;
  uint32_t events_ = 0;
  uint64_t due_ = 0, counted_ = 0;
  bool close_ = false, holding_ = false;
  std::string received_;
  Outgoing out_;
  Incoming body_;
};

void fail(const Group& group, const std::string& why) {
  die("load: %s after %lu of %lu: %s", group.name.c_str(), static_cast<unsigned long>(group.ended),
      static_cast<unsigned long>(group.begun), why.c_str());
}

Group::Group(Load& owner, const std::string& spec) : load(owner), name(spec.substr(0, spec.find(':'))) {
  static const std::map<std::string, std::pair<Kind, const char*>> kinds = {
      {"up", {Kind::up, "/up"}},           {"up-chunked", {Kind::up, "/up"}},
      {"down", {Kind::down, "/bytes/"}},   {"down-chunked", {Kind::down, "/chunked/"}},
      {"get", {Kind::small, "/small"}},    {"post", {Kind::small, "/up"}},
      {"hold-up", {Kind::hold_up, "/slow"}}, {"hold-down", {Kind::hold_down, "/bytes/"}},
      {"idle", {Kind::idle, "/small"}}};
  auto found = kinds.find(name);
  if (found == kinds.end()) die("load: no such group: %s", name.c_str());
  kind = found->second.first;
  chunked = name.ends_with("-chunked");
  post = name == "post";
  if (kind == Kind::small) bytes = 1024;
  size_t at = spec.find(':');
  while (at != std::string::npos) {
    size_t end = spec.find(',', at + 1), equals = spec.find('=', at + 1);
    std::string key = spec.substr(at + 1, equals - at - 1), value = spec.substr(equals + 1, end - equals - 1);
    std::map<std::string, uint64_t*> numbers = {{"conns", &conns},     {"requests", &requests}, {"bytes", &bytes},
                                                {"seconds", &seconds}, {"rate", &rate}};
    auto to = numbers.find(key);
    auto read = number(value);
    if (key == "path") path = value;
    else if (to != numbers.end() && read) *to->second = *read;
    else die("load: cannot read %s", spec.c_str());
    at = end;
  }
  if (path.empty()) {
    path = found->second.second;
    if (kind == Kind::down || kind == Kind::hold_down) path += std::to_string(bytes);
  }
  if (stays()) requests = conns;
  if (requests == UINT64_MAX && seconds == 0) requests = conns;
}

void Group::start() {
  for (uint64_t i = 0; i < conns; i++) clients.push_back(std::make_unique<Client>(*this));
  started_at = ended_at = now_ns();
  if (kind == Kind::hold_down) {
    clock = std::make_unique<Timer>(load.loop, [this] {
      if (held == conns)
        for (auto& client : clients) client->sip();
    });
    clock->every(hold_tick_ns);
  }
  if (stays()) return open_more();
  for (auto& client : clients) free.push_back(client.get());
  if (rate > 0) {
    next_due = started_at;
    clock = std::make_unique<Timer>(load.loop, [this] { dispatch(); });
  }
  dispatch();
}

/// Held connections begin a few at a time, so that no backlog overflows.
void Group::open_more() {
  while (begun < conns && begun < held + connecting_at_once) clients[begun]->begin(now_ns());
}

/// Gives free connections their next request, when there is one and it is due.
void Group::dispatch() {
  while (!free.empty() && wants_more()) {
    uint64_t now = now_ns();
    if (rate > 0 && next_due > now) return clock->once(next_due);
    Client* client = free.back();
    free.pop_back();
    client->begin(rate > 0 ? next_due : now);
    if (rate > 0) next_due += 1'000'000'000u / rate;
  }
}

std::string Group::json() {
  double elapsed = static_cast<double>(ended_at - started_at) / 1e9;
  std::sort(latency_us_tenths.begin(), latency_us_tenths.end());
  auto at = [&](double share) {
    if (latency_us_tenths.empty()) return 0.0;
    return latency_us_tenths[static_cast<size_t>(share * static_cast<double>(latency_us_tenths.size() - 1) + 0.5)] / 10.0;
  };
  char text[400];
  snprintf(text, sizeof text,
           "{\"group\":\"%s\",\"requests\":%lu,\"bytes\":%lu,\"seconds\":%.4f,\"held\":%lu,"
           "\"p50Us\":%.1f,\"p99Us\":%.1f,\"maxUs\":%.1f}",
           name.c_str(), static_cast<unsigned long>(ended), static_cast<unsigned long>(body_bytes), elapsed,
           static_cast<unsigned long>(held), at(0.5), at(0.99), at(1));
  return text;
}

bool Load::stays() const {
  return std::any_of(groups.begin(), groups.end(), [](auto& group) { return group->stays(); });
}

/// Opens the next of those that stay, says once when all are there, and ends a run that is done.
void Load::after_turn() {
  uint64_t held = 0, wanted = 0;
  for (auto& group : groups) {
    if (!group->stays()) continue;
    group->open_more();
    held += group->held;
    wanted += group->conns;
  }
  if (wanted > 0 && held == wanted && !std::exchange(said_holding, true)) {
    printf("holding %lu\n", static_cast<unsigned long>(held));
    fflush(stdout);
  }
  if (!stays() && std::all_of(groups.begin(), groups.end(), [](auto& group) { return group->finished(); })) loop.stop();
}

/// SIGTERM ends a run that stays; SIGALRM is the deadline.
class Signals : public Watcher {
 public:
  explicit Signals(Load& load) : load_(load) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    load.loop.add(fd_.get(), this, EPOLLIN, Service::urgent);
  }
  void ready(uint32_t) override {
    signalfd_siginfo info;
    if (read(fd_.get(), &info, sizeof info) != sizeof info) return;
    bool held = std::all_of(load_.groups.begin(), load_.groups.end(), [](auto& g) { return g->held == g->conns; });
    if (info.ssi_signo == SIGALRM || !held) fail(*load_.groups.front(), "not done by the deadline, or ended too soon");
    load_.loop.stop();
  }

 private:
  Load& load_;
  Fd fd_;
};

}  // namespace

int main(int argc, char** argv) {
  raise_open_files();
  signal(SIGPIPE, SIG_IGN);
  Load load;
  unsigned deadline = 60;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--to") == 0 && i + 1 < argc) load.port = static_cast<uint16_t>(atoi(argv[++i]));
    else if (strcmp(argv[i], "--deadline") == 0 && i + 1 < argc) deadline = static_cast<unsigned>(atoi(argv[++i]));
    else load.groups.push_back(std::make_unique<Group>(load, argv[i]));
  }
  if (load.port == 0 || load.groups.empty()) die("usage: load --to PORT [--deadline SECONDS] GROUP...");
  Signals signals(load);
  alarm(deadline);
  for (auto& group : load.groups) group->start();
  load.loop.run([&] { load.after_turn(); });

  printf("{\"groups\":[");
  for (size_t i = 0; i < load.groups.size(); i++) printf("%s%s", i > 0 ? "," : "", load.groups[i]->json().c_str());
  printf("]}\n");
  return 0;
}
