// Sockets as the engine wants them: non-blocking, close-on-exec, options set where the kernel knows them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "fd.h"

namespace sluice {

// Times in milliseconds; 0 leaves the system's own value.
struct SocketOptions {
  int keepalive_idle = 0;
  int keepalive_interval = 0;
  int keepalive_count = 0;
  int user_timeout = 0;
  std::string congestion;
};

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;

  // From an address in text, IPv4 or IPv6; false where it is neither.
  bool parse(const std::string& host, uint16_t port);
  // IPv4 in IPv6 (::ffff:1.2.3.4) is shown as the IPv4 address it is.
  std::string host() const;
  uint16_t port() const;
};

struct ListenOptions : SocketOptions {
  int backlog = 511;
  bool reuse_port = false;
  bool ipv6_only = false;
};

// The first descriptor number that traffic may not use. The kernel gives out the lowest free number, so a socket
// whose number reaches this says that all below are in use: what is left is reserved for the rest of the process
// (the admin address, name resolution, log files).
using DescriptorBound = int;

// Both return an invalid Fd and set `error` to an errno on failure. connect_to fails with EMFILE at the bound.
Fd listen_on(const Address& address, const ListenOptions& options, int& error);
Fd connect_to(const Address& address, const SocketOptions& options, DescriptorBound bound, int& error);

// A kernel that refuses one of these leaves a connection that works without it: failures are ignored.
void apply(int fd, const SocketOptions& options);

// From here on a close of `fd` sends RST instead of FIN.
void reset_on_close(int fd);

// The kernel has no memory for the call at the moment; the socket itself is sound.
bool lacks_memory(int error);

// Bytes the send buffer has room for, by the kernel's own account: what is taken from a source up to this much
// will leave for the sink at once, so that the pipe between them is empty when the turn ends.
size_t send_room(int fd);

// Sends what a send with MSG_MORE has left in the kernel: setting TCP_NODELAY does that, tcp(7).
void push_pending(int fd);

// The errno that the socket has failed with, or 0. Asking clears it.
int pending_error(int fd);

// Bytes sent, the FIN counting as one, that the peer's host has not acknowledged.
int unacknowledged(int fd);

}  // namespace sluice
