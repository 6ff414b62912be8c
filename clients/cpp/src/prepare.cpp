// What the network sees of a photo, and its input.
#include <algorithm>
#include <cmath>

#include "resize.h"
#include "smoothserve/image.h"

namespace smoothserve {
namespace {

constexpr std::int64_t kMostAspect =
    50;  // a strip of 1 x 50,000 would be resized to 256 x 12,800,000 before the crop

// Of what is too much, half lies before the crop: round(2 * half / 2), halves to the even number.
int offset(int whole, int part) { return static_cast<int>(std::nearbyint((whole - part) / 2.0)); }

std::string size_in_words(const Image& image) {
  return std::to_string(image.width) + " x " + std::to_string(image.height) + " pixels";
}

}  // namespace

Image crop(const Image& photo, const Preprocessing& preprocessing) {
  if (preprocessing.channels == "planes") {
    throw RequestError("A photo was given, but the model takes arrays of " +
                       std::to_string(preprocessing.mean.size()) + " channels: use explain_inputs().");
  }
  if (photo.width < 1 || photo.height < 1 ||
      photo.rgb.size() != std::size_t{3} * photo.width * photo.height) {
    throw PhotoError("The photo has " + size_in_words(photo) + " in " + std::to_string(photo.rgb.size()) +
                     " bytes; expected 3 bytes for each pixel, and at least one.");
  }
  const int width = preprocessing.crop_width, height = preprocessing.crop_height;
  if (!preprocessing.resize) {
    return detail::resized(photo, width, height, preprocessing.interpolation, {0, 0, width, height});
  }
  const std::int64_t small = std::min(photo.width, photo.height), large = std::max(photo.width, photo.height);
  if (large > kMostAspect * small) {
    throw PhotoError("The photo has " + size_in_words(photo) + "; one side may be at most " +
                     std::to_string(kMostAspect) + " times the other. Cut it.");
  }
  const auto side = [&](std::int64_t length) {
    return static_cast<int>(std::max<std::int64_t>(*preprocessing.resize * length / small, 1));
  };
  const int across = side(photo.width), down = side(photo.height);
  return detail::resized(photo, across, down, preprocessing.interpolation,
                         {offset(across, width), offset(down, height), width, height});
}

Bytes to_grey(const Image& image) {
  Bytes grey(image.rgb.size() / 3);
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const std::uint8_t* p = &image.rgb[3 * i];
    grey[i] = static_cast<std::uint8_t>((19595 * p[0] + 38470 * p[1] + 7471 * p[2] + 32768) >> 16);
  }
  return grey;
}

std::vector<float> to_input(const Image& picture, const Preprocessing& preprocessing) {
  if (picture.width != preprocessing.crop_width || picture.height != preprocessing.crop_height) {
    throw RequestError("The picture has " + size_in_words(picture) + ", expected " +
                       std::to_string(preprocessing.crop_width) + " x " +
                       std::to_string(preprocessing.crop_height) + ": crop() gives it.");
  }
  const std::size_t area = picture.rgb.size() / 3, channels = preprocessing.channels.size();
  const Bytes grey = channels == 1 ? to_grey(picture) : Bytes();
  std::vector<float> input(channels * area);
  for (std::size_t c = 0; c < channels; ++c) {
    const std::size_t colour = preprocessing.channels == "BGR" ? 2 - c : c;
    for (std::size_t i = 0; i < area; ++i) {
      const float value = channels == 1 ? grey[i] : picture.rgb[3 * i + colour];
      input[c * area + i] = (value / 255.0f - preprocessing.mean[c]) / preprocessing.std[c];
    }
  }
  return input;
}

}  // namespace smoothserve
