// As much of HTTP/1.1 as the generators need: they speak to proxies that are themselves under test elsewhere.
#pragma once

#include <strings.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

/// A message's head, viewed in place. `size` includes the empty line.
struct Head {
  std::string_view text;
  size_t size = 0;

  /// Nothing while the head is unfinished.
  static std::optional<Head> find(std::string_view bytes) {
    size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return std::nullopt;
    return Head{bytes.substr(0, end + 2), end + 4};
  }

  std::string_view start_line() const { return text.substr(0, text.find("\r\n")); }

  /// The field's value, or an empty view.
  std::string_view field(std::string_view name) const {
    for (size_t at = text.find("\r\n") + 2; at < text.size(); at = text.find("\r\n", at) + 2) {
      std::string_view line = text.substr(at, text.find("\r\n", at) - at);
      if (line.size() <= name.size() || line[name.size()] != ':') continue;
      if (strncasecmp(line.data(), name.data(), name.size()) != 0) continue;
      line.remove_prefix(name.size() + 1);
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      return line;
    }
    return {};
  }

  bool field_is(std::string_view name, std::string_view value) const {
    std::string_view found = field(name);
    return found.size() == value.size() && strncasecmp(found.data(), value.data(), value.size()) == 0;
  }
};

inline std::optional<uint64_t> number(std::string_view digits) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
  return value;
}
