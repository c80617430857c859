// What the fuzz targets share: ways to cut an input into pieces, and how a finding is told.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace fuzz {

using Pieces = std::vector<std::string_view>;

inline void check(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "finding: %s\n", what);
  abort();
}

// Cuts at random, but alike in each run: the generator (xorshift) is seeded with the bytes themselves.
class Cuts {
 public:
  explicit Cuts(std::string_view bytes) {
    for (const char c : bytes) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    if (state_ == 0) state_ = 1;
  }

  Pieces of(std::string_view bytes, size_t longest) {
    Pieces pieces;
    while (!bytes.empty()) {
      state_ ^= state_ << 13;
      state_ ^= state_ >> 7;
      state_ ^= state_ << 17;
      pieces.push_back(bytes.substr(0, 1 + state_ % longest));
      bytes.remove_prefix(pieces.back().size());
    }
    return pieces;
  }

 private:
  uint64_t state_ = 0xcbf29ce484222325;
};

// Shows the bytes byte by byte, then in small pieces, then in large ones. Long inputs in large ones only:
// they are there for the limits, and would cost most of the time.
template <class Use>
void in_pieces(std::string_view bytes, Use use) {
  Cuts cuts(bytes);
  for (const size_t longest : {1, 4, 64, 4096}) {
    if (bytes.size() <= 512 * longest) use(cuts.of(bytes, longest));
  }
}

}  // namespace fuzz
