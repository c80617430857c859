// An event loop with two classes of service: between any two steps of a body, everything urgent is served, so
// that the generators add as little as can be to the latency of small requests that they measure.
#pragma once

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <functional>

#include "net.h"

class Loop;

/// Whoever wants events of a descriptor.
struct Watcher {
  virtual ~Watcher() = default;
  virtual void ready(uint32_t events) = 0;
};

enum class Service { urgent, bulk };

class Loop {
 public:
  Loop() : bulk_(epoll_create1(EPOLL_CLOEXEC)), urgent_(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = nullptr}};
    epoll_ctl(bulk_.get(), EPOLL_CTL_ADD, urgent_.get(), &event);
  }

  void add(int fd, Watcher* watcher, uint32_t events, Service service) {
    epoll_event event{.events = events, .data = {.ptr = watcher}};
    if (epoll_ctl(of(service), EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
  }
  void change(int fd, Watcher* watcher, uint32_t events, Service service) {
    epoll_event event{.events = events, .data = {.ptr = watcher}};
    epoll_ctl(of(service), EPOLL_CTL_MOD, fd, &event);
  }
  void remove(int fd, Service service) { epoll_ctl(of(service), EPOLL_CTL_DEL, fd, nullptr); }

  /// Runs until `stop`. `after` is called once per turn, when no watcher is on the stack.
  void run(const std::function<void()>& after) {
    epoll_event events[256];
    while (!stopped_) {
      int count = epoll_wait(bulk_.get(), events, 256, -1);
      if (count < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
      for (int i = 0; i < count && !stopped_; i++) {
        serve_urgent();
        if (auto* watcher = static_cast<Watcher*>(events[i].data.ptr)) watcher->ready(events[i].events);
      }
      after();
    }
  }
  void stop() { stopped_ = true; }

 private:
  int of(Service service) const { return service == Service::urgent ? urgent_.get() : bulk_.get(); }

  void serve_urgent() {
    epoll_event events[64];
    int count = epoll_wait(urgent_.get(), events, 64, 0);
    for (int i = 0; i < count; i++) static_cast<Watcher*>(events[i].data.ptr)->ready(events[i].events);
  }

  Fd bulk_, urgent_;
  bool stopped_ = false;
};

/// Calls back every so often, or once at a given time.
class Timer : public Watcher {
 public:
  Timer(Loop& loop, std::function<void()> fired) : fired_(std::move(fired)) {
    fd_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    loop.add(fd_.get(), this, EPOLLIN, Service::urgent);
  }
  void every(uint64_t ns) { set(0, spec(ns), spec(ns)); }
  /// `at` is of `now_ns`; a time gone by fires at once.
  void once(uint64_t at) { set(TFD_TIMER_ABSTIME, spec(at), {}); }
  void ready(uint32_t) override {
    uint64_t count;
    if (read(fd_.get(), &count, sizeof count) == sizeof count) fired_();
  }

 private:
  static timespec spec(uint64_t ns) {
    return {static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
  }
  void set(int flags, timespec value, timespec interval) {
    itimerspec both{.it_interval = interval, .it_value = value};
    timerfd_settime(fd_.get(), flags, &both, nullptr);
  }
  Fd fd_;
  std::function<void()> fired_;
};
