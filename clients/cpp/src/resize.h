// Pillow's resize of 8-bit pictures.
#pragma once

#include "smoothserve/image.h"

namespace smoothserve::detail {

struct Box {
  int left, top, width, height;  // pixels
};

// The part `box` of the photo resized to width x height, as Pillow's Image.resize gives it. filter: nearest,
// bilinear, bicubic or lanczos.
Image resized(const Image& photo, int width, int height, const std::string& filter, const Box& box);

}  // namespace smoothserve::detail
