// Preloaded into a process under test: makes system calls of it fail as the file named by SLUICE_FAILING_CALLS says,
// which is shared memory. Two 32-bit words for each call, in the order of `enum call`: the errno that calls of the
// native engine fail with, and that of all others; 0 lets them through. Two more count how many failed so.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum call { SOCKET, CONNECT, ACCEPT, WATCH, PIPE, LINGER, RECV, SEND, SPLICE, CALLS };

static volatile int *table;

__attribute__((constructor)) static void open_table(void) {
  const char *file = getenv("SLUICE_FAILING_CALLS");
  const int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *memory = mmap(NULL, CALLS * 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED) table = memory;
  close(fd);
}

static int fails(enum call call, void *caller) {
  volatile int *row = table ? table + call * 4 : NULL;
  if (!row || (row[0] == 0 && row[1] == 0)) return 0;
  Dl_info object;
  const int engine = dladdr(caller, &object) && object.dli_fname && strstr(object.dli_fname, "sluice_engine");
  const int error = row[engine ? 0 : 1];
  if (error == 0) return 0;
  __atomic_add_fetch(&row[engine ? 2 : 3], 1, __ATOMIC_SEQ_CST);
  errno = error;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAILS(call) fails(call, __builtin_return_address(0))

int socket(int domain, int type, int protocol) {
  if ((domain == AF_INET || domain == AF_INET6) && FAILS(SOCKET)) return -1;
  return REAL(socket)(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *address, socklen_t length) {
  if ((address->sa_family == AF_INET || address->sa_family == AF_INET6) && FAILS(CONNECT)) return -1;
  return REAL(connect)(fd, address, length);
}

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
  return FAILS(ACCEPT) ? -1 : REAL(accept4)(fd, address, length, flags);
}

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event) {
  if (operation == EPOLL_CTL_ADD && FAILS(WATCH)) return -1;
  return REAL(epoll_ctl)(set, operation, fd, event);
}

int pipe2(int ends[2], int flags) { return FAILS(PIPE) ? -1 : REAL(pipe2)(ends, flags); }

int setsockopt(int fd, int level, int name, const void *value, socklen_t length) {
  if (level == SOL_SOCKET && name == SO_LINGER && FAILS(LINGER)) return -1;
  return REAL(setsockopt)(fd, level, name, value, length);
}

ssize_t recv(int fd, void *into, size_t length, int flags) {
  return FAILS(RECV) ? -1 : REAL(recv)(fd, into, length, flags);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  return FAILS(SEND) ? -1 : REAL(send)(fd, bytes, length, flags);
}

ssize_t splice(int in, off_t *in_at, int out, off_t *out_at, size_t length, unsigned flags) {
  return FAILS(SPLICE) ? -1 : REAL(splice)(in, in_at, out, out_at, length, flags);
}
