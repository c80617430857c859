// Descriptors, loopback sockets, the clock and the in-memory payloads that the generators send from.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

[[noreturn, gnu::format(printf, 1, 2)]] inline void die(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share.
inline uint64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(t.tv_nsec);
}

inline sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

inline void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

/// Listens on 127.0.0.1; port 0 takes any free one.
inline Fd listen_on(uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  sockaddr_in address = loopback(port);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd.get(), 4096) != 0)
    die("cannot listen on 127.0.0.1:%u: %s", port, strerror(errno));
  return fd;
}

inline uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

/// Waits for the connection: on loopback that is no wait, unless the backlog is full. Non-blocking afterwards.
inline Fd connect_to(uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(port);
  if (!fd || connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return Fd();
  fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  return fd;
}

inline void raise_open_files() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

inline constexpr uint64_t chunk_size = 65536;

/// A file in memory that bodies are sent from by sendfile, over and over: plain bytes, or the same bytes already
/// cut into chunks of 64 KiB with their size lines, so that a chunked body costs what a plain one does.
struct Payload {
  Fd file;
  uint64_t size = 0;

  explicit Payload(bool chunked, uint64_t bytes = 16u << 20) : file(memfd_create("payload", MFD_CLOEXEC)) {
    std::string block;
    for (uint64_t i = 0; i < chunk_size; i++) block += static_cast<char>('a' + i % 26);
    if (chunked) block = "10000\r\n" + block + "\r\n";
    for (; size < bytes; size += block.size())
      if (write(file.get(), block.data(), block.size()) != static_cast<ssize_t>(block.size()))
        die("cannot fill a memfd: %s", strerror(errno));
  }
};
