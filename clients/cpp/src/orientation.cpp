// Reads the orientation from EXIF data (a TIFF directory) or XMP text, and turns pictures.
#include "orientation.h"

#include <optional>
#include <string>
#include <utility>

namespace smoothserve::detail {
namespace {

constexpr unsigned kOrientation = 0x0112;  // the tag

// Unsigned integers of a TIFF structure, in its byte order; none beyond its end.
class Tiff {
 public:
  explicit Tiff(const Bytes& bytes) : bytes_(bytes), big_(!bytes.empty() && bytes[0] == 'M') {}

  std::optional<std::uint32_t> number(std::size_t at, unsigned size) const {
    if (at + size > bytes_.size()) return std::nullopt;
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size; ++i) value = value << 8 | bytes_[at + (big_ ? i : size - 1 - i)];
    return value;
  }

 private:
  const Bytes& bytes_;
  bool big_;
};

std::optional<std::uint32_t> in_exif(const Bytes& exif) {
  const bool marked =
      exif.size() >= 8 && ((exif[0] == 'I' && exif[1] == 'I') || (exif[0] == 'M' && exif[1] == 'M'));
  if (!marked) return std::nullopt;
  const Tiff tiff(exif);
  if (tiff.number(2, 2) != 42u) return std::nullopt;
  const std::size_t directory = *tiff.number(4, 4);
  const auto entries = tiff.number(directory, 2);
  for (std::size_t i = 0; entries && i < *entries; ++i) {
    const std::size_t at = directory + 2 + 12 * i;
    const auto tag = tiff.number(at, 2), type = tiff.number(at + 2, 2);
    if (!tag || !type) return std::nullopt;  // the directory is cut off
    if (*tag != kOrientation) continue;
    const unsigned size = *type == 1 ? 1 : *type == 3 ? 2 : *type == 4 ? 4 : 0;  // BYTE, SHORT, LONG
    return size == 0 ? std::nullopt : tiff.number(at + 8, size);
  }
  return std::nullopt;
}

std::optional<std::uint32_t> in_xmp(const Bytes& xmp) {
  static const std::string name = "tiff:Orientation";
  const std::string text(xmp.begin(), xmp.end());
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    std::size_t digit = at + name.size();
    if (text.compare(digit, 2, "=\"") == 0) digit += 2;
    else if (text.compare(digit, 1, ">") == 0) digit += 1;
    else continue;
    if (digit < text.size() && text[digit] >= '0' && text[digit] <= '9') return text[digit] - '0';
  }
  return std::nullopt;
}

}  // namespace

int orientation(const Notes& notes) {
  auto found = in_exif(notes.exif);
  if (!found) found = in_xmp(notes.xmp);
  return found && *found >= 1 && *found <= 8 ? static_cast<int>(*found) : 1;
}

Image turned(Image image, int orientation) {
  if (orientation == 1) return image;
  const int width = image.width, height = image.height;
  const bool swapped = orientation >= 5;  // rows become columns
  Image result{swapped ? height : width, swapped ? width : height, Bytes(image.rgb.size())};
  const bool mirrored = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool upside_down = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  std::uint8_t* out = result.rgb.data();
  for (int y = 0; y < result.height; ++y) {
    for (int x = 0; x < result.width; ++x, out += 3) {
      int column = swapped ? y : x, row = swapped ? x : y;
      if (mirrored) column = width - 1 - column;
      if (upside_down) row = height - 1 - row;
      const std::uint8_t* in = &image.rgb[3 * (static_cast<std::size_t>(row) * width + column)];
      out[0] = in[0], out[1] = in[1], out[2] = in[2];
    }
  }
  return result;
}

}  // namespace smoothserve::detail
