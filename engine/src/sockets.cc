#include "sockets.h"

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice {
namespace {

bool set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value) == 0; }

int seconds(int milliseconds) { return std::max(1, (milliseconds + 999) / 1000); }

Fd fail(int& error) {
  error = errno;
  return Fd();
}

}  // namespace

bool Address::parse(const std::string& host, uint16_t port) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  if (inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    length = sizeof *v4;
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    length = sizeof *v6;
    return true;
  }
  return false;
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, text, sizeof text);
  } else if (storage.ss_family == AF_INET6) {
    const in6_addr& address = reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) {
      inet_ntop(AF_INET, address.s6_addr + 12, text, sizeof text);
    } else {
      inet_ntop(AF_INET6, &address, text, sizeof text);
    }
  }
  return text;
}

uint16_t Address::port() const {
  if (storage.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  if (storage.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return 0;
}

void apply(int fd, const SocketOptions& options) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.keepalive_idle > 0) {
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds(options.keepalive_idle));
    if (options.keepalive_interval > 0) set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds(options.keepalive_interval));
    if (options.keepalive_count > 0) set(fd, IPPROTO_TCP, TCP_KEEPCNT, options.keepalive_count);
  }
  if (options.user_timeout > 0) set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, options.user_timeout);
  if (!options.congestion.empty()) {
    // Refused for algorithms that the system does not allow; the connection then keeps the system's own.
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, options.congestion.data(),
               static_cast<socklen_t>(options.congestion.size()));
  }
}

Fd listen_on(const Address& address, const ListenOptions& options, int& error) {
  const int family = address.storage.ss_family;
  Fd fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(error);
  // Without SO_REUSEADDR, bind() itself tells what is wrong. Without the other two the listener would not be the one
  // that was asked for.
  set(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port && !set(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return fail(error);
  if (family == AF_INET6 && !set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0)) return fail(error);
  // Accepted sockets inherit these, which saves the calls on each of them.
  apply(fd.get(), options);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) return fail(error);
  if (listen(fd.get(), options.backlog) != 0) return fail(error);
  return fd;
}

Fd connect_to(const Address& address, const SocketOptions& options, DescriptorBound bound, int& error) {
  Fd fd(socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(error);
  if (fd.get() >= bound) {
    error = EMFILE;
    return Fd();
  }
  apply(fd.get(), options);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 &&
      errno != EINPROGRESS) {
    return fail(error);
  }
  return fd;
}

void reset_on_close(int fd) {
  const struct ::linger abort{1, 0};
  if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0) return;
  // A FIN could pass for the end of a body. Disconnecting sends RST, too; where even that fails nothing is left to do.
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  (void)connect(fd, &nobody, sizeof nobody);
}

bool lacks_memory(int error) { return error == ENOMEM || error == ENOBUFS; }

size_t send_room(int fd) {
  uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t length = sizeof info;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) != 0) return PTRDIFF_MAX;
  const uint32_t limit = info[SK_MEMINFO_SNDBUF];
  const uint32_t queued = info[SK_MEMINFO_WMEM_QUEUED];
  return limit > queued ? limit - queued : 0;
}

void push_pending(int fd) { set(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

int pending_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

int unacknowledged(int fd) {
  int bytes = 0;
  // A socket that has failed has nobody left to wait for.
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

}  // namespace sluice
