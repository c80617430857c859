// The engine's chunk decoder on a command line. Reads cases on stdin, each a length (4 bytes, little-endian)
// and as many bytes, which are shown to the decoder whole. For each it writes the verdict (1 byte: `.` ended,
// `+` more must come, `!` malformed, `>` trailers too long), the bytes consumed (4 bytes), and the data and the trailers, each with
// its length (4 bytes) before it.
#include "decode-body.h"

namespace {

bool read_all(void* into, size_t length) { return fread(into, 1, length, stdin) == length; }

void write_number(size_t number) {
  const uint32_t word = static_cast<uint32_t>(number);
  fwrite(&word, sizeof word, 1, stdout);
}

void write_text(const std::string& text) {
  write_number(text.size());
  fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

int main() {
  uint32_t length = 0;
  while (read_all(&length, sizeof length)) {
    std::string bytes(length, '\0');
    if (!read_all(bytes.data(), length)) return 1;
    const fuzz::Body body = fuzz::decode_body({bytes});
    fputc(body.kind, stdout);
    write_number(body.consumed);
    write_text(body.data);
    write_text(body.trailer);
  }
  return 0;
}
