// Finds the end of an HTTP/1.1 head. Pure bytes: fuzzed by test/fuzz/head.cc.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "trailer.h"

namespace sluice {

// Empty lines that a peer may send before a start line (RFC 9112, section 2.2): how many bytes to skip.
inline size_t leading_empty_lines(const char* bytes, size_t length) {
  size_t skip = 0;
  while (skip + 2 <= length && bytes[skip] == '\r' && bytes[skip + 1] == '\n') skip += 2;
  return skip;
}

// How much of a head is looked at to tell that it is none.
inline constexpr size_t kBeginning = 16;

// Whether no head begins like this, behind any empty lines: the rule of `beginsNoHead` in src/http1/beginning.ts, which
// says why.
inline bool begins_no_head(const char* bytes, size_t length) {
  const std::string_view begun(bytes, std::min(length, kBeginning));
  for (const char c : begun) {
    if (c == ' ' || c == '\r' || c == '\n') break;
    if (c != '/' && !is_token(c)) return true;
  }
  return begun.starts_with("PROXY TCP4 ") || begun.starts_with("PROXY TCP6 ") || begun.starts_with("PROXY UNKNOWN");
}

// Offset behind the empty line that ends a head, or 0 when it has not come yet. Bytes before `from` are known
// to hold no end. Bare LFs end a head too, so that it reaches the parser, which refuses it, rather than a
// timeout.
inline size_t head_end(const char* bytes, size_t length, size_t from) {
  // An end that begins in the known part may be up to two bytes long there: LF, CR.
  const char* at = bytes + (from > 2 ? from - 2 : 0);
  const char* const end = bytes + length;
  while (at < end) {
    at = static_cast<const char*>(memchr(at, '\n', static_cast<size_t>(end - at)));
    if (at == nullptr) return 0;
    ++at;
    if (at < end && *at == '\n') return static_cast<size_t>(at + 1 - bytes);
    if (at + 1 < end && at[0] == '\r' && at[1] == '\n') return static_cast<size_t>(at + 2 - bytes);
  }
  return 0;
}

// Where a head lies in what has come so far: behind `skip` bytes of empty lines, and `end` bytes long, or 0
// while it is not complete.
struct HeadSpan {
  size_t skip;
  size_t end;
};

// `scanned` bytes were looked at before and kept, the empty lines in front of them dropped. Finds the same
// head however the bytes were cut.
inline HeadSpan find_head(const char* bytes, size_t length, size_t scanned) {
  // A single byte that was kept may be the CR of an empty line whose LF has come only now.
  const size_t skip = scanned <= 1 ? leading_empty_lines(bytes, length) : 0;
  return {skip, head_end(bytes + skip, length - skip, skip == 0 ? scanned : 0)};
}

}  // namespace sluice
