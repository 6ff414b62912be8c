// Photo bytes -> RGB: which format it is, and turning it upright.
#include <algorithm>
#include <fstream>
#include <iterator>

#include "formats.h"

namespace smoothserve {
namespace detail {

void check_pixels(std::size_t width, std::size_t height, std::size_t max_pixels) {
  if (width == 0 || height == 0) damaged();
  if (width > max_pixels / height) {
    throw PhotoError("The photo has " + std::to_string(width) + " x " + std::to_string(height) +
                     " pixels, at most " + std::to_string(max_pixels) + " are allowed. Give a smaller one.");
  }
}

void damaged() { throw PhotoError("The photo is damaged or cut off and cannot be decoded."); }

}  // namespace detail

Image decode(const Bytes& file, std::size_t max_pixels) {
  static const Bytes png = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  const auto begins = [&file](std::size_t count, const std::uint8_t* with) {
    return file.size() >= count && std::equal(with, with + count, file.begin());
  };
  static const std::uint8_t jpeg[] = {0xff, 0xd8, 0xff};
  detail::Stored stored;
  if (begins(3, jpeg)) {
    stored = detail::decode_jpeg(file, max_pixels);
  } else if (begins(png.size(), png.data())) {
    stored = detail::decode_png(file, max_pixels);
  } else {
    throw PhotoError("The photo cannot be read: " + std::to_string(file.size()) +
                     " bytes that are neither JPEG nor PNG. Convert it to one of them.");
  }
  const int orientation = detail::orientation(stored.notes);
  return detail::turned(std::move(stored.image), orientation);
}

Image read_photo(const std::string& path, std::size_t max_pixels) {
  Bytes file;
  try {
    std::ifstream stream(path, std::ios::binary);
    file.assign(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  } catch (const std::ios_base::failure&) {  // such as of a folder
    file.clear();
  }
  if (file.empty()) {
    throw PhotoError("The photo " + path + " cannot be read, or is empty: expected a JPEG or PNG file.");
  }
  try {
    return decode(file, max_pixels);
  } catch (const PhotoError& error) {
    throw PhotoError(path + ": " + error.what());
  }
}

}  // namespace smoothserve
