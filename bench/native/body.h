// Bodies on their way out and in, without a copy in user space: sendfile from memory, recv(MSG_TRUNC) to nowhere.
#pragma once

#include <sys/sendfile.h>

#include <algorithm>
#include <deque>
#include <string_view>

#include "net.h"

/// What a step came to. `more`: the turn's limit was reached; `blocked`: the socket has no more to give or take;
/// `ended`: the peer closed or reset; `malformed`: the peer's framing is broken.
enum class Flow { more, blocked, done, ended, malformed };

/// Bytes moved per step, so that one fat stream does not keep the others waiting.
inline constexpr uint64_t turn = 512u << 10;

/// One message on its way out: texts and stretches of payload, in order.
class Outgoing {
 public:
  void text(std::string bytes) { pieces_.push_back({std::move(bytes), nullptr, 0, 0}); }
  void payload(const Payload& from, uint64_t bytes) {
    if (bytes > 0) pieces_.push_back({{}, &from, 0, bytes});
  }
  /// A body of `bytes` as chunks of 64 KiB, a smaller last one and no trailers.
  void chunks(const Payload& chunked, const Payload& plain, uint64_t bytes) {
    payload(chunked, bytes / chunk_size * (chunk_size + 9));
    if (uint64_t rest = bytes % chunk_size; rest > 0) {
      char line[24];
      snprintf(line, sizeof line, "%lx\r\n", static_cast<unsigned long>(rest));
      text(line);
      payload(plain, rest);
      text("\r\n");
    }
    text("0\r\n\r\n");
  }
  bool empty() const { return pieces_.empty(); }
  void clear() { pieces_.clear(); }

  Flow step(int fd, uint64_t limit = turn) {
    while (!pieces_.empty()) {
      Piece& piece = pieces_.front();
      ssize_t moved;
      uint64_t left = piece.end - piece.at;
      if (piece.from == nullptr) {
        left = piece.bytes.size() - piece.at;
        int flags = MSG_NOSIGNAL | (pieces_.size() > 1 ? MSG_MORE : 0);
        moved = send(fd, piece.bytes.data() + piece.at, left, flags);
      } else {
        if (limit == 0) return Flow::more;
        off_t offset = static_cast<off_t>(piece.at % piece.from->size);
        uint64_t most = std::min({left, limit, piece.from->size - static_cast<uint64_t>(offset)});
        moved = sendfile(fd, piece.from->file.get(), &offset, most);
        if (moved > 0) limit -= static_cast<uint64_t>(moved);
      }
      if (moved < 0) return errno == EAGAIN || errno == EINTR ? Flow::blocked : Flow::ended;
      piece.at += static_cast<uint64_t>(moved);
      if (static_cast<uint64_t>(moved) == left) pieces_.pop_front();
    }
    return Flow::done;
  }

 private:
  struct Piece {
    std::string bytes;
    const Payload* from;
    uint64_t at;
    uint64_t end;
  };
  std::deque<Piece> pieces_;
};

/// One body on its way in: counted by its framing and thrown away.
class Incoming {
 public:
  void begin_length(uint64_t bytes) { reset(bytes == 0 ? State::end : State::data, false, bytes); }
  void begin_chunked() { reset(State::size, true, 0); }
  void begin_until_close() { reset(State::data, false, UINT64_MAX); }

  uint64_t bytes() const { return bytes_; }
  bool chunked() const { return chunked_; }
  bool done() const { return state_ == State::end; }
  bool until_close() const { return !chunked_ && left_ > UINT64_MAX / 2; }

  /// Takes what of `[from, from + size)` belongs to the body. Returns how much that was, or -1 where it is malformed.
  ssize_t feed(const char* from, size_t size) {
    size_t at = 0;
    while (at < size && state_ != State::end) {
      if (state_ == State::data) {
        size_t take = static_cast<size_t>(std::min<uint64_t>(left_, size - at));
        took(take);
        at += take;
      } else if (!framing_byte(from[at++])) {
        return -1;
      }
    }
    return static_cast<ssize_t>(at);
  }

  Flow step(int fd, uint64_t limit = turn) {
    while (state_ != State::end) {
      if (limit == 0) return Flow::more;
      ssize_t got;
      if (state_ == State::data && left_ > sizeof(line_)) {
        got = recv(fd, nullptr, std::min(left_, limit), MSG_TRUNC);
        if (got > 0) took(static_cast<uint64_t>(got));
      } else {
        got = recv(fd, line_, chunked_ ? sizeof line_ : std::min<uint64_t>(left_, sizeof line_), 0);
        // Neither side of the bench pipelines, so a byte after the end is a fault of whoever sent it.
        if (got > 0 && feed(line_, static_cast<size_t>(got)) != got) return Flow::malformed;
      }
      if (got == 0) return until_close() ? (state_ = State::end, Flow::done) : Flow::ended;
      if (got < 0) return errno == EAGAIN || errno == EINTR ? Flow::blocked : Flow::ended;
      limit -= std::min(limit, static_cast<uint64_t>(got));
    }
    return Flow::done;
  }

 private:
  enum class State { size, extension, size_lf, data, data_cr, data_lf, trailer, trailer_line, last_lf, end };

  void reset(State state, bool chunked, uint64_t left) {
    state_ = state;
    chunked_ = chunked;
    left_ = left;
    bytes_ = 0;
    digits_ = 0;
  }

  void took(uint64_t count) {
    bytes_ += count;
    left_ -= count;
    if (left_ == 0) state_ = chunked_ ? State::data_cr : State::end;
  }

  bool framing_byte(char c) {
    switch (state_) {
      case State::size: {
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit >= 0) {
          left_ = left_ << 4 | static_cast<uint64_t>(digit);
          return ++digits_ <= 12;
        }
        state_ = c == '\r' ? State::size_lf : State::extension;
        return digits_ > 0 && (c == '\r' || c == ';' || c == ' ');
      }
      case State::extension:
        if (c == '\r') state_ = State::size_lf;
        return true;
      case State::size_lf:
        digits_ = 0;
        state_ = left_ > 0 ? State::data : State::trailer;
        return c == '\n';
      case State::data_cr:
        state_ = State::data_lf;
        return c == '\r';
      case State::data_lf:
        state_ = State::size;
        return c == '\n';
      case State::trailer:
        state_ = c == '\r' ? State::last_lf : State::trailer_line;
        return true;
      case State::trailer_line:
        if (c == '\n') state_ = State::trailer;
        return true;
      case State::last_lf:
        state_ = State::end;
        return c == '\n';
      case State::data:
      case State::end:
        break;
    }
    return false;
  }

  State state_ = State::end;
  bool chunked_ = false;
  int digits_ = 0;
  uint64_t left_ = 0;
  uint64_t bytes_ = 0;
  // Small: what is read here of the next chunk's data is copied.
  char line_[64];
};
