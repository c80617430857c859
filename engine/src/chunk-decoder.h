// The chunked transfer coding (RFC 9112, section 7.1), framing only: data is moved by the caller, mostly without
// ever being seen. Pure bytes: fuzzed by test/fuzz/chunk-decoder.cc. src/http1/chunked.ts follows the same rules:
//   - a size is 1 to 13 hexadecimal digits, nothing before or after them but an extension;
//   - an extension starts with ';' right behind the size, is at most 256 bytes without control characters, and
//     is dropped;
//   - lines end with CRLF, nothing else;
//   - the trailer section is at most 8 KiB of `name: value` lines; fields that must not come in a trailer
//     (framing, routing, credentials) are dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sluice {

class ChunkDecoder {
 public:
  static constexpr size_t kMaxDigits = 13;
  static constexpr size_t kMaxExtension = 256;
  static constexpr size_t kMaxTrailer = 8192;

  // Consumes framing up to the first byte of chunk data, the end of the body, or an error; returns how many
  // bytes of [bytes, bytes + length) it took.
  size_t consume(const char* bytes, size_t length) {
    size_t at = 0;
    while (at < length && !in_data() && !done() && !malformed()) step(bytes[at++]);
    return at;
  }

  // `bytes` of the current chunk's data have been moved.
  void took(uint64_t bytes) {
    remaining_ -= bytes;
    if (remaining_ == 0) state_ = State::DataCr;
  }

  bool in_data() const { return state_ == State::Data; }
  bool done() const { return state_ == State::Done; }
  bool malformed() const { return state_ == State::Malformed; }
  // Bytes of the current chunk still to come.
  uint64_t remaining() const { return remaining_; }
  // Size of the current chunk or, between two, of the last one: senders repeat their sizes.
  uint64_t size() const { return size_; }
  // How long the last piece of framing between two chunks was.
  size_t framing_length() const { return framing_; }
  // The trailer section as it goes on: complete lines, without the last empty one.
  const std::string& trailer() const { return trailer_; }

 private:
  enum class State : uint8_t {
    SizeFirst, Size, Extension, SizeLf, Data, DataCr, DataLf, LineFirst, Line, LineLf, EndLf, Done, Malformed
  };

  static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  static bool is_control(char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  }

  static bool is_token(char c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
    return c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  }

  void fail() { state_ = State::Malformed; }

  void step(char c) {
    ++line_;
    switch (state_) {
      case State::SizeFirst:
      case State::Size: {
        const int digit = hex(c);
        if (digit >= 0) {
          if (++digits_ > kMaxDigits) return fail();
          size_ = state_ == State::SizeFirst ? static_cast<uint64_t>(digit) : size_ * 16 + static_cast<uint64_t>(digit);
          state_ = State::Size;
        } else if (state_ == State::Size && c == ';') {
          state_ = State::Extension;
        } else if (state_ == State::Size && c == '\r') {
          state_ = State::SizeLf;
        } else {
          fail();
        }
        return;
      }
      case State::Extension:
        if (c == '\r') {
          state_ = State::SizeLf;
        } else if (is_control(c) || ++extension_ > kMaxExtension) {
          fail();
        }
        return;
      case State::SizeLf:
        if (c != '\n') return fail();
        framing_ = line_;
        line_ = digits_ = extension_ = 0;
        remaining_ = size_;
        state_ = size_ == 0 ? State::LineFirst : State::Data;
        return;
      case State::DataCr:
        if (c != '\r') return fail();
        state_ = State::DataLf;
        return;
      case State::DataLf:
        if (c != '\n') return fail();
        state_ = State::SizeFirst;
        return;
      case State::LineFirst:
        if (c == '\r') {
          state_ = State::EndLf;
          return;
        }
        line_start_ = trailer_.size();
        state_ = State::Line;
        [[fallthrough]];
      case State::Line:
        if (c == '\r') {
          state_ = State::LineLf;
        } else if (is_control(c) || ++trailer_bytes_ > kMaxTrailer) {
          fail();
        } else {
          trailer_ += c;
        }
        return;
      case State::LineLf:
        if (c != '\n' || !end_line()) return fail();
        state_ = State::LineFirst;
        return;
      case State::EndLf:
        if (c != '\n') return fail();
        state_ = State::Done;
        return;
      case State::Data:
      case State::Done:
      case State::Malformed:
        return;
    }
  }

  // Judges the trailer line just read; keeps it, drops it, or says that it is no field line.
  bool end_line() {
    const std::string_view line = std::string_view(trailer_).substr(line_start_);
    const size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) return false;
    std::string name;
    for (const char c : line.substr(0, colon)) {
      if (!is_token(c)) return false;
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    for (const std::string_view forbidden :
         {"content-length", "transfer-encoding", "host", "authorization", "proxy-authorization", "cookie",
          "set-cookie", "connection", "trailer", "te", "upgrade", "content-encoding", "content-type",
          "content-range", "expect", "keep-alive", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}) {
      if (name == forbidden) {
        trailer_.resize(line_start_);
        return true;
      }
    }
    trailer_ += "\r\n";
    return true;
  }

  State state_ = State::SizeFirst;
  uint64_t size_ = 0;
  uint64_t remaining_ = 0;
  size_t digits_ = 0;
  size_t extension_ = 0;
  size_t line_ = 0;
  size_t framing_ = 6;
  size_t trailer_bytes_ = 0;
  size_t line_start_ = 0;
  std::string trailer_;
};

}  // namespace sluice
