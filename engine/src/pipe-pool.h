// The pipes that splice(2) needs between two sockets. The kernel rations them: an unprivileged user holds 64 MiB
// of pipe in all (fs.pipe-user-pages-soft, pipe(7)), after which a new pipe gets a page or two. A relay takes a
// pipe for one turn and gives it back empty, so that a handful serves a thousand streams.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "fd.h"
#include "sockets.h"

namespace sluice {

struct Pipe {
  Fd read;
  Fd write;
  size_t capacity = 0;
  // Bytes inside. A pipe that holds any is never pooled: they belong to one body.
  size_t held = 0;
};

class PipePool {
 public:
  // A pipe of this size costs a half to a third of what one of 64 KiB does per byte moved.
  static constexpr int kWanted = 1 << 20;
  // Smaller than this, copying is the better bargain.
  static constexpr size_t kUseful = 64 << 10;
  static constexpr size_t kMaxPipes = 64;
  static constexpr size_t kMaxIdle = 8;

  // A pipe is two descriptors: one sixteenth of those below `bound` at most, as src/config/descriptors.ts counts on.
  explicit PipePool(DescriptorBound bound)
      : bound_(bound), max_pipes_(std::clamp<size_t>(static_cast<size_t>(bound) / 32, 1, kMaxPipes)) {}

  // Empty, or null where none of a useful size is to be had now.
  std::unique_ptr<Pipe> take();
  // Closes a pipe that still holds bytes.
  void give_back(std::unique_ptr<Pipe> pipe);

  size_t in_use() const { return in_use_; }
  size_t total() const { return in_use_ + idle_.size(); }

 private:
  DescriptorBound bound_;
  size_t max_pipes_;
  std::vector<std::unique_ptr<Pipe>> idle_;
  size_t in_use_ = 0;
};

}  // namespace sluice
