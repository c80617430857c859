// Fuzzes the head finder: it finds what a naive search finds, at the byte that completes it, however the
// bytes are cut.
#include "head.h"

#include <string>

#include "pieces.h"

using fuzz::check;

namespace {

struct Found {
  // Offsets into the whole input; `end` is 0 while no end has come.
  size_t start = 0;
  size_t end = 0;
};

Found naive(std::string_view bytes) {
  Found found;
  while (bytes.substr(found.start, 2) == "\r\n") found.start += 2;
  for (size_t at = found.start; at < bytes.size() && found.end == 0; ++at) {
    if (bytes.substr(at, 2) == "\n\n") found.end = at + 2;
    if (bytes.substr(at, 3) == "\n\r\n") found.end = at + 3;
  }
  return found;
}

// As the engine does it: keeps what is incomplete, without the empty lines before it.
Found incremental(const fuzz::Pieces& pieces) {
  Found found;
  std::string held;
  for (const std::string_view piece : pieces) {
    const size_t scanned = held.size();
    held += piece;
    // A copy of exactly that size, so that a look past its end is caught.
    const std::vector<char> bytes(held.begin(), held.end());
    const auto [skip, end] = sluice::find_head(bytes.data(), bytes.size(), scanned);
    check(skip + end <= bytes.size(), "a head that ends behind what has come");
    check(end == 0 || skip + end > scanned, "an end that should have been seen before");
    found.start += skip;
    held.erase(0, skip);
    if (end != 0) {
      found.end = found.start + end;
      return found;
    }
  }
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Found expected = naive(bytes);
  check(sluice::leading_empty_lines(bytes.data(), size) == expected.start, "empty lines are counted wrong");
  const Found whole = incremental({bytes});
  check(whole.start == expected.start && whole.end == expected.end, "not the head that a naive search finds");
  fuzz::in_pieces(bytes, [&](const fuzz::Pieces& pieces) {
    const Found found = incremental(pieces);
    check(found.start == expected.start && found.end == expected.end,
          "the head depends on how the bytes are cut");
  });
  return 0;
}
