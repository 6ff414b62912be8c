// The decoders of each format: bytes -> pixels as they are stored, and what stands beside them.
#pragma once

#include "orientation.h"
#include "smoothserve/image.h"

namespace smoothserve::detail {

struct Stored {
  Image image;
  Notes notes;
};

// Both throw PhotoError: damaged, cut off, or more than max_pixels pixels.
Stored decode_jpeg(const Bytes& file, std::size_t max_pixels);
Stored decode_png(const Bytes& file, std::size_t max_pixels);

// Throws PhotoError where a photo has more pixels.
void check_pixels(std::size_t width, std::size_t height, std::size_t max_pixels);

[[noreturn]] void damaged();  // throws PhotoError

}  // namespace smoothserve::detail
