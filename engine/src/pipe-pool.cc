#include "pipe-pool.h"

#include <fcntl.h>

namespace sluice {

std::unique_ptr<Pipe> PipePool::take() {
  if (!idle_.empty()) {
    std::unique_ptr<Pipe> pipe = std::move(idle_.back());
    idle_.pop_back();
    ++in_use_;
    return pipe;
  }
  if (total() >= max_pipes_) return nullptr;

  int ends[2];
  if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return nullptr;
  auto pipe = std::make_unique<Pipe>();
  pipe->read = Fd(ends[0]);
  pipe->write = Fd(ends[1]);
  if (std::max(ends[0], ends[1]) >= bound_) return nullptr;
  // Over the user's quota this fails, and the pipe may already have been made with two pages.
  fcntl(ends[1], F_SETPIPE_SZ, kWanted);
  const int capacity = fcntl(ends[1], F_GETPIPE_SZ);
  if (capacity < 0 || static_cast<size_t>(capacity) < kUseful) return nullptr;
  pipe->capacity = static_cast<size_t>(capacity);
  ++in_use_;
  return pipe;
}

void PipePool::give_back(std::unique_ptr<Pipe> pipe) {
  --in_use_;
  if (pipe->held == 0 && idle_.size() < kMaxIdle) idle_.push_back(std::move(pipe));
}

}  // namespace sluice
