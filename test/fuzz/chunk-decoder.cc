// Fuzzes the chunk decoder: what it says does not depend on how the bytes are cut, and is what a reference
// says that was written from the rules alone, over the whole text, line by line.
#include "chunk-decoder.h"

#include <cctype>
#include <cstring>

#include "decode-body.h"
#include "pieces.h"

using fuzz::Body;
using fuzz::check;

namespace {

bool has_controls(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c < 32 && c != 9) || c == 127; });
}

// What comes before a CRLF. Without one it is unfinished, and may end in half of one.
struct Line {
  std::string_view text;
  bool ended = false;  // a CR at least has come
  bool whole = false;
};

Line next_line(std::string_view rest) {
  const size_t crlf = rest.find("\r\n");
  if (crlf != std::string_view::npos) return {rest.substr(0, crlf), true, true};
  if (rest.ends_with('\r')) return {rest.substr(0, rest.size() - 1), true, false};
  return {rest, false, false};
}

// Rules 1 and 2. Also true for what may yet become a size line.
bool is_size_line(const Line& line, uint64_t& size) {
  const size_t digits = std::min(line.text.find_first_not_of("0123456789abcdefABCDEF"), line.text.size());
  const std::string_view extension = line.text.substr(digits);
  if (digits > 13 || (digits == 0 && (line.ended || !extension.empty()))) return false;
  if (!extension.empty() && (extension[0] != ';' || extension.size() > 257 || has_controls(extension)))
    return false;
  size = std::strtoull(std::string(line.text.substr(0, digits)).c_str(), nullptr, 16);
  return true;
}

bool is_barred(std::string name) {
  for (char& c : name) c = c == '_' ? '-' : static_cast<char>(tolower(c));
  for (const char* prefix : {"content-", "if-", "x-forwarded-"}) {
    if (name.rfind(prefix, 0) == 0) return true;
  }
  const std::string barred =
      " host transfer-encoding expect authorization es-secondary-authorization es-security-runas-user cookie"
      " forwarded via traceparent tracestate x-elastic-product x-opaque-id x-proxy-roles x-proxy-user"
      " x-real-ip x-request-id connection proxy-connection keep-alive te upgrade http2-settings"
      " proxy-authenticate proxy-authentication-info proxy-authorization cache-control location max-forwards"
      " range retry-after set-cookie trailer www-authenticate ";
  return barred.find(' ' + name + ' ') != std::string::npos;
}

// Rules 4 and 5, for a whole line.
bool read_field(std::string_view line, std::string& kept) {
  const std::string token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const size_t colon = line.find_first_not_of(token);
  if (colon == 0 || colon == std::string_view::npos || line[colon] != ':') return false;
  const std::string name(line.substr(0, colon));
  std::string value(line.substr(colon + 1));
  while (!value.empty() && strchr(" \t", value.front()) != nullptr) value.erase(value.begin());
  while (!value.empty() && strchr(" \t", value.back()) != nullptr) value.pop_back();
  if (!is_barred(name)) kept += name + ": " + value + "\r\n";
  return true;
}

Body::Kind read_trailers(std::string_view rest, Body& body) {
  const size_t length = rest.size();
  std::string kept;
  size_t bytes = 0;
  for (;;) {
    const Line line = next_line(rest);
    if (line.text.empty()) {
      if (!line.whole) return Body::More;
      body.consumed += length - rest.size() + 2;
      body.trailer = kept;
      return Body::Done;
    }
    // With the first byte for which the line's own CRLF would no longer fit, they are too long.
    const size_t room = bytes < 8190 ? 8190 - bytes : 0;
    if (has_controls(line.text.substr(0, room + 1))) return Body::Malformed;
    if (line.text.size() > room) return Body::TooLong;
    if (!line.whole) return Body::More;
    if (!read_field(line.text, kept)) return Body::Malformed;
    if (kept.size() > 8192) return Body::TooLong;
    bytes += line.text.size() + 2;
    rest.remove_prefix(line.text.size() + 2);
  }
}

Body::Kind read_body(std::string_view bytes, Body& body) {
  for (;;) {
    std::string_view rest = bytes.substr(body.consumed);
    const Line line = next_line(rest);
    uint64_t size = 0;
    if (!is_size_line(line, size)) return Body::Malformed;
    if (!line.whole) return Body::More;
    body.consumed += line.text.size() + 2;
    rest.remove_prefix(line.text.size() + 2);
    if (size == 0) return read_trailers(rest, body);
    const std::string_view data = rest.substr(0, size);
    body.data += data;
    body.consumed += data.size();
    if (data.size() < size) return Body::More;
    const std::string_view after = rest.substr(size, 2);
    if (after != std::string_view("\r\n").substr(0, after.size())) return Body::Malformed;
    if (after.size() < 2) return Body::More;
    body.consumed += 2;
  }
}

// Whatever the reference says: what goes on to the next hop holds whole, clean lines, and no more than the
// limit.
void check_clean(const std::string& trailer) {
  check(trailer.size() <= 8192, "trailers over the limit");
  for (std::string_view rest = trailer; !rest.empty();) {
    const Line line = next_line(rest);
    std::string kept;
    check(line.whole && !has_controls(line.text), "a trailer with a control character");
    check(read_field(line.text, kept) && !kept.empty(), "a trailer that is no field, or one that is barred");
    rest.remove_prefix(line.text.size() + 2);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Body expected;
  expected.kind = read_body(bytes, expected);
  const auto compare = [&](const fuzz::Pieces& pieces) {
    const Body body = fuzz::decode_body(pieces);
    check(body.kind == expected.kind, "not the verdict of the reference");
    check(body.data == expected.data, "not the data of the reference");
    if (body.kind != Body::Done) return;
    check(body.consumed == expected.consumed, "not the end that the reference finds");
    check(body.trailer == expected.trailer, "not the trailers of the reference");
    check_clean(body.trailer);
  };
  compare({bytes});
  fuzz::in_pieces(bytes, compare);
  return 0;
}
