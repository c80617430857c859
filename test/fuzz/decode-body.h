// Decodes a chunked body with the engine's decoder as a relay does.
#pragma once

#include <algorithm>
#include <string>

#include "chunk-decoder.h"
#include "pieces.h"

namespace fuzz {

struct Body {
  // Whether more must come, the body has ended, or it is refused.
  enum Kind : char { More = '+', Done = '.', Malformed = '!', TooLong = '>' } kind = More;
  // Up to the end of the body, once it is done.
  size_t consumed = 0;
  std::string data;
  std::string trailer;
};

inline Body decode_body(const Pieces& pieces) {
  Body body;
  sluice::ChunkDecoder decoder;
  for (const std::string_view piece : pieces) {
    // A copy of exactly that size, so that a look past its end is caught.
    const std::vector<char> bytes(piece.begin(), piece.end());
    size_t at = 0;
    while (at < bytes.size() && !decoder.done() && !decoder.malformed()) {
      const size_t taken = decoder.consume(bytes.data() + at, bytes.size() - at);
      check(taken <= bytes.size() - at, "the decoder took more than it was given");
      check(taken > 0 || decoder.in_data(), "the decoder takes nothing and says nothing");
      at += taken;
      if (!decoder.in_data()) continue;
      check(decoder.remaining() > 0 && decoder.remaining() <= decoder.size(), "data of an impossible size");
      const size_t take = static_cast<size_t>(std::min<uint64_t>(decoder.remaining(), bytes.size() - at));
      body.data.append(bytes.data() + at, take);
      if (take > 0) decoder.took(take);
      at += take;
    }
    body.consumed += at;
  }
  body.kind = decoder.done()        ? Body::Done
              : decoder.too_long()  ? Body::TooLong
              : decoder.malformed() ? Body::Malformed
                                    : Body::More;
  if (decoder.done()) body.trailer = decoder.trailer();
  return body;
}

}  // namespace fuzz
