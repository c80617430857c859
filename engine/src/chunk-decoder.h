// The chunked transfer coding (RFC 9112, section 7.1), framing only: data is moved by the caller, mostly
// without ever being seen. Pure bytes: fuzzed by test/fuzz/chunk-decoder.cc, and against
// src/http1/chunked.ts, which follows the same rules, by test/fuzz/differential.fuzz.ts:
//   1. A size line is 1 to 13 hexadecimal digits, then CRLF, or a `;` and an extension before the CRLF. No
//      sign, no `0x`, no whitespace around the digits. Leading zeros count as digits.
//   2. An extension is dropped. Between its `;` and its CRLF are at most 256 bytes, none of them a control
//      character other than HTAB.
//   3. After the data of a chunk comes CRLF exactly. Lines end in CRLF: no bare CR, no bare LF.
//   4. A chunk of size 0 is the last. Trailer lines follow, then an empty line: with their CRLFs at most as
//      many bytes as the limit says, each a valid field line as in a request's head (token, colon, no control
//      characters, no folding).
//   5. Trailers that could change what the head said are dropped (`is_barred_trailer`), the others kept in
//      order, each as `name: value`: again within the limit.
#pragma once

#include <cstdint>
#include <string>

#include "trailer.h"

namespace sluice {

class ChunkDecoder {
 public:
  static constexpr size_t kMaxDigits = 13;
  static constexpr size_t kMaxExtension = 256;
  static constexpr size_t kStandardTrailers = 8192;

  // Bytes of trailers, before the first of them comes.
  void limit_trailers(size_t bytes) { max_trailers_ = bytes; }

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
  // Nothing can follow: it breaks a rule, or its trailers are longer than the limit.
  bool malformed() const { return state_ == State::Malformed || too_long(); }
  bool too_long() const { return state_ == State::TooLong; }
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
    SizeFirst,
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    LineFirst,
    Line,
    LineLf,
    EndLf,
    Done,
    Malformed,
    TooLong
  };

  static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  static bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

  void fail() { state_ = State::Malformed; }

  void step(char c) {
    ++line_;
    switch (state_) {
      case State::SizeFirst:
      case State::Size: {
        const int digit = hex(c);
        if (digit >= 0) {
          if (++digits_ > kMaxDigits) return fail();
          size_ = state_ == State::SizeFirst ? static_cast<uint64_t>(digit)
                                             : size_ * 16 + static_cast<uint64_t>(digit);
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
        state_ = State::Line;
        [[fallthrough]];
      case State::Line:
        if (c == '\r') {
          state_ = State::LineLf;
        } else if (is_control(c)) {
          fail();
        } else if (++trailer_bytes_ + 2 > max_trailers_) {
          state_ = State::TooLong;
        } else {
          field_ += c;
        }
        return;
      case State::LineLf:
        if (c != '\n' || !end_line()) return fail();
        // A space put behind each colon makes them longer than they came.
        state_ = trailer_.size() > max_trailers_ ? State::TooLong : State::LineFirst;
        return;
      case State::EndLf:
        if (c != '\n') return fail();
        state_ = State::Done;
        return;
      case State::Data:
      case State::Done:
      case State::Malformed:
      case State::TooLong:
        return;
    }
  }

  // Judges the trailer line just read: keeps it, drops it, or says that it is no field line.
  bool end_line() {
    trailer_bytes_ += 2;
    const bool sound = pass_trailer(field_, trailer_);
    field_.clear();
    return sound;
  }

  State state_ = State::SizeFirst;
  uint64_t size_ = 0;
  uint64_t remaining_ = 0;
  size_t digits_ = 0;
  size_t extension_ = 0;
  size_t line_ = 0;
  size_t framing_ = 6;
  size_t trailer_bytes_ = 0;
  size_t max_trailers_ = kStandardTrailers;
  // The trailer line being read; those kept.
  std::string field_;
  std::string trailer_;
};

}  // namespace sluice
