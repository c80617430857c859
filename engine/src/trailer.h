// One line of a trailer section, by the rules of src/http1/fields.ts and src/http1/field-names.ts.
#pragma once

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

namespace sluice {

inline bool is_token(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Whether a field means something only in a head, so that it is dropped where it comes as a trailer (RFC
// 9110, section 6.5.1): framing, routing, identity, tracing, what is for the next hop only, what steers
// caches and clients. `name` is in lower case, with `-` for each `_`.
inline bool is_barred_trailer(std::string_view name) {
  static constexpr std::string_view prefixes[] = {"content-", "if-", "x-forwarded-"};
  // clang-format off
  static constexpr std::string_view names[] = {
      "authorization", "cache-control", "connection", "cookie", "es-secondary-authorization",
      "es-security-runas-user", "expect", "forwarded", "host", "http2-settings", "keep-alive", "location",
      "max-forwards", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
      "proxy-connection", "range", "retry-after", "set-cookie", "te", "traceparent", "tracestate", "trailer",
      "transfer-encoding", "upgrade", "via", "www-authenticate", "x-elastic-product", "x-opaque-id",
      "x-proxy-roles", "x-proxy-user", "x-real-ip", "x-request-id"};
  // clang-format on
  return std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](auto prefix) { return name.starts_with(prefix); }) ||
         std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// Appends a line without control characters to `out` as `name: value` CRLF, or nothing where it is barred.
// False where it is no field line.
inline bool pass_trailer(std::string_view line, std::string& out) {
  const size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos) return false;
  std::string name;
  for (const char c : line.substr(0, colon)) {
    if (!is_token(c)) return false;
    name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c == '_' ? '-' : c;
  }
  if (is_barred_trailer(name)) return true;
  out.append(line.substr(0, colon)).append(": ");
  const size_t first = line.find_first_not_of(" \t", colon + 1);
  if (first != std::string_view::npos)
    out.append(line.substr(first, line.find_last_not_of(" \t") + 1 - first));
  out.append("\r\n");
  return true;
}

}  // namespace sluice
