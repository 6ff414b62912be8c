// How a photo is to be turned, as its camera or an editor wrote it down.
#pragma once

#include <cstddef>
#include <cstdint>

#include "smoothserve/image.h"

namespace smoothserve::detail {

// What stands beside the pixels. Empty: the file has none.
struct Notes {
  Bytes exif;  // a TIFF header and what follows it
  Bytes xmp;   // a text
};

// 1 to 8; 1, upright, where nothing readable says otherwise. XMP counts where EXIF has no such tag.
int orientation(const Notes& notes);

// The picture upright.
Image turned(Image image, int orientation);

}  // namespace smoothserve::detail
