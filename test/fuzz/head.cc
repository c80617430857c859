// Fuzzes the head finder: it finds what a naive search finds, at the byte that completes it, however the
// bytes are cut; and what begins no head shows at the same byte, if no head has ended before.
#include "head.h"

#include <string>

#include "pieces.h"

using fuzz::check;

namespace {

struct Found {
  // Offsets into the whole input; `end` is 0 while no end has come.
  size_t start = 0;
  size_t end = 0;
  // Behind the byte that shows that no head begins so, or 0.
  size_t foreign = 0;
};

Found naive(std::string_view bytes) {
  Found found;
  while (bytes.substr(found.start, 2) == "\r\n") found.start += 2;
  for (size_t at = found.start; at < bytes.size() && found.end == 0; ++at) {
    if (bytes.substr(at, 2) == "\n\n") found.end = at + 2;
    if (bytes.substr(at, 3) == "\n\r\n") found.end = at + 3;
  }
  const std::string_view begun = bytes.substr(found.start, 16);
  const size_t word = std::min(begun.find_first_of(" \r\n"), begun.size());
  const size_t bad = begun.find_first_not_of(
      "/!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
  if (bad < word) found.foreign = found.start + bad + 1;
  for (const std::string_view line : {"PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN"}) {
    if (begun.starts_with(line)) found.foreign = found.start + line.size();
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
    if (scanned < sluice::kBeginning && sluice::begins_no_head(held.data(), held.size())) {
      found.foreign = found.start + held.size();
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
  const auto compare = [&](const fuzz::Pieces& pieces) {
    const Found found = incremental(pieces);
    // A whole head is the parser's to refuse, also where a part of it would have been known as none.
    if (expected.foreign == 0 || found.end != 0) {
      check(found.foreign == 0, "a head is taken for none");
      check(found.start == expected.start && found.end == expected.end, "not the head that a naive search finds");
    } else {
      check(found.foreign >= expected.foreign, "no head is seen where none is to be seen yet");
    }
  };
  compare({bytes});
  fuzz::in_pieces(bytes, compare);
  return 0;
}
