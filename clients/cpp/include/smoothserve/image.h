// Photo bytes -> the picture that the network sees -> its input, in the arithmetic of the Python side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace smoothserve {

using Bytes = std::vector<std::uint8_t>;

// What every function of this library throws, besides std::bad_alloc. what() says what was given, what was
// expected and what to do.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A photo that cannot be read, or is too large.
class PhotoError : public Error {
 public:
  using Error::Error;
};

// A file that is no explanation model, or that ONNX Runtime cannot load or run.
class ModelError : public Error {
 public:
  using Error::Error;
};

// A class, colour map or number that does not exist, or an input of another shape.
class RequestError : public Error {
 public:
  using Error::Error;
};

// RGB, 8 bits each, rows from the top without gaps: rgb.size() == 3 * width * height.
struct Image {
  int width = 0;
  int height = 0;
  Bytes rgb;
};

// How a photo becomes the network's input; the card of a file has it.
struct Preprocessing {
  std::optional<int> resize;  // length of the shorter side in pixels; none: the whole photo becomes crop
  int crop_height = 0;        // pixels
  int crop_width = 0;         // pixels
  std::vector<float> mean;    // subtracted from values in [0, 1], one for each channel
  std::vector<float> std;     // divided by afterwards, likewise
  std::string interpolation;  // nearest, bilinear, bicubic or lanczos
  std::string channels;       // RGB, BGR, L, or planes: arrays that are no photo
};

inline constexpr std::size_t max_pixels_by_default = 50'000'000;  // of a photo: 150 MB decoded

// The photo in a JPEG or PNG file: upright as its EXIF or XMP orientation says, transparency on white, deep
// grey scaled to 8 bits. Throws PhotoError: another format, damaged, or more than max_pixels pixels (nothing
// is decoded then).
Image decode(const Bytes& file, std::size_t max_pixels = max_pixels_by_default);

// The same from a file. Throws PhotoError, also where it cannot be read.
Image read_photo(const std::string& path, std::size_t max_pixels = max_pixels_by_default);

// What the network sees: the photo resized, and its middle of crop_width x crop_height pixels. Throws
// PhotoError where one side is more than 50 times the other, RequestError where the preprocessing is of
// planes.
Image crop(const Image& photo, const Preprocessing& preprocessing);

// The cropped picture as [C, H, W], normalised; C is 1 for L, else 3. Throws RequestError where the picture
// has another size than the crop.
std::vector<float> to_input(const Image& picture, const Preprocessing& preprocessing);

// Grey as Pillow has it: (19595 R + 38470 G + 7471 B + 32768) >> 16, rows from the top.
Bytes to_grey(const Image& image);

// A PNG file. Throws PhotoError where it cannot be written.
void write_png(const std::string& path, const Image& image);

}  // namespace smoothserve
