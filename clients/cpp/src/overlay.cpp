// A heatmap over its photo, as the command draws it; the colour maps are anchors of matplotlib's (CC0),
// ColorBrewer's and Fabio Crameri's.
#include <algorithm>
#include <array>
#include <cmath>

#include "crameri.h"
#include "smoothserve/explainer.h"

namespace smoothserve {
namespace {

constexpr double kNothing =
    0.1;  // of the strongest; less is not drawn, or flat areas would be covered by a haze
constexpr double kHues[] = {0.08,
                            0.92};  // of a diverging map: against and for; its middle would cover the photo

struct Colormap {
  const char* name;
  bool diverging;
  std::vector<std::uint32_t> anchors;  // 0xRRGGBB, evenly spaced
};

const std::array<Colormap, 11>& colormaps() {
  static const std::array<Colormap, 11> all = {{
      {"inferno",
       false,
       {0x000004, 0x1b0c41, 0x4a0c6b, 0x781c6d, 0xa52c60, 0xcf4446, 0xed6925, 0xfb9b06, 0xf7d13d, 0xfcffa4}},
      {"magma",
       false,
       {0x000004, 0x180f3d, 0x440f76, 0x721f81, 0x9e2f7f, 0xcd4071, 0xf1605d, 0xfd9668, 0xfeca8d, 0xfcfdbf}},
      {"viridis",
       false,
       {0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725}},
      {"cividis",
       false,
       {0x00224e, 0x123570, 0x3b496c, 0x575d6d, 0x707173, 0x8a8678, 0xa59c74, 0xc3b369, 0xe1cc55, 0xfee838}},
      {"grey", false, {0x000000, 0xffffff}},
      {"batlow", false, crameri::batlow},
      {"blue-red", true, {0x2166ac, 0x67a9cf, 0xd1e5f0, 0xf7f7f7, 0xfddbc7, 0xef8a62, 0xb2182b}},
      {"purple-orange", true, {0x542788, 0x998ec3, 0xd8daeb, 0xf7f7f7, 0xfee0b6, 0xf1a340, 0xb35806}},
      {"vik", true, crameri::vik},
      {"berlin", true, crameri::berlin},
      {"roma_r", true, crameri::roma_r},
  }};
  return all;
}

const Colormap& colormap_named(const std::string& name, bool is_signed) {
  std::string fitting;
  for (const Colormap& map : colormaps()) {
    if (map.diverging != is_signed) continue;
    if (name.empty() || name == map.name) return map;
    fitting += (fitting.empty() ? "" : ", ") + std::string(map.name);
  }
  throw RequestError(
      "colormap='" + name.substr(0, 80) + "', but this heatmap " +
      (is_signed ? "speaks for and against a class and needs a diverging" : "needs a sequential") +
      " one: " + fitting + ".");
}

std::uint8_t colour_of(const Colormap& map, double value, int channel) {
  const double position = value * static_cast<double>(map.anchors.size() - 1);
  const std::size_t below = std::min(static_cast<std::size_t>(position), map.anchors.size() - 2);
  const int shift = 16 - 8 * channel;
  const double low = map.anchors[below] >> shift & 0xff, high = map.anchors[below + 1] >> shift & 0xff;
  return static_cast<std::uint8_t>(
      std::nearbyint(low + (position - static_cast<double>(below)) * (high - low)));
}

// [size, size], row by row: each weighs its neighbours by a normal density.
std::vector<float> gaussian(int size, double radius) {
  std::vector<float> all(std::size_t{1} * size * size);
  std::vector<double> row(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    double sum = 0;
    for (int j = 0; j < size; ++j) {
      const double distance = (i - j) / std::max(radius, 1e-3);
      sum += row[static_cast<std::size_t>(j)] = std::exp(-0.5 * distance * distance);
    }
    for (int j = 0; j < size; ++j) {
      all[std::size_t{1} * i * size + j] = static_cast<float>(row[static_cast<std::size_t>(j)] / sum);
    }
  }
  return all;
}

// Blurred by 1 % of the width, and scaled so that the strongest is 1 again: pixel-wise sensitivities are
// speckled, and a person looks for regions.
std::vector<double> blurred(const Heatmap& heatmap, bool is_signed) {
  const auto width = static_cast<std::size_t>(heatmap.width),
             height = static_cast<std::size_t>(heatmap.height);
  const double radius = heatmap.width / 100.0;
  const auto rows = gaussian(heatmap.height, radius), columns = gaussian(heatmap.width, radius);
  std::vector<double> down(width * height), smooth(width * height);
  for (std::size_t y = 0; y < height; ++y) {
    for (std::size_t from = 0; from < height; ++from) {
      const double weight = rows[y * height + from];
      if (weight == 0) continue;
      for (std::size_t x = 0; x < width; ++x)
        down[y * width + x] += weight * heatmap.values[from * width + x];
    }
  }
  for (std::size_t x = 0; x < width; ++x) {
    for (std::size_t from = 0; from < width; ++from) {
      const double weight = columns[x * width + from];
      if (weight == 0) continue;
      for (std::size_t y = 0; y < height; ++y) smooth[y * width + x] += weight * down[y * width + from];
    }
  }
  const double middle = is_signed ? 0.5 : 0;
  double peak = 0;
  for (const double value : smooth) peak = std::max(peak, std::fabs(value - middle));
  if (peak == 0) return smooth;
  for (double& value : smooth)
    value = std::clamp(middle + (value - middle) * ((1 - middle) / peak), 0.0, 1.0);
  return smooth;
}

std::uint8_t blend(int below, int above, int mask) {
  const int sum = below * (255 - mask) + above * mask + 128;
  return static_cast<std::uint8_t>(((sum >> 8) + sum) >> 8);
}

}  // namespace

Image overlay(const Answer& answer, bool is_signed, const Look& look) {
  return overlay(answer.heatmap, answer.seen, is_signed, look);
}

Image overlay(const Heatmap& heatmap, const Image& picture, bool is_signed, const Look& look) {
  const Colormap& map = colormap_named(look.colormap, is_signed);
  if (!(look.opacity >= 0 && look.opacity <= 1)) {
    throw RequestError("opacity=" + std::to_string(look.opacity) + ", expected a number from 0 to 1.");
  }
  const std::size_t area = heatmap.values.size();
  if (area == 0 || picture.width != heatmap.width || picture.height != heatmap.height ||
      picture.rgb.size() != 3 * area || area != std::size_t{1} * heatmap.width * heatmap.height) {
    throw RequestError("The heatmap has " + std::to_string(heatmap.width) + " x " +
                       std::to_string(heatmap.height) + " values and the picture " +
                       std::to_string(picture.width) + " x " + std::to_string(picture.height) +
                       " pixels; expected the same.");
  }
  const auto smooth = blurred(heatmap, is_signed);
  const Bytes grey = look.colour ? Bytes() : to_grey(picture);
  Image result{picture.width, picture.height, Bytes(3 * area)};
  for (std::size_t i = 0; i < area; ++i) {
    const double strength = is_signed ? std::fabs(smooth[i] - 0.5) * 2 : smooth[i];
    const double shown = std::clamp((strength - kNothing) / (1 - kNothing), 0.0, 1.0);
    const int mask = static_cast<int>(shown * look.opacity * 255);
    const double shade = is_signed ? kHues[smooth[i] < 0.5 ? 0 : 1] : smooth[i];
    for (int c = 0; c < 3; ++c) {
      const int below = look.colour ? picture.rgb[3 * i + static_cast<std::size_t>(c)] : grey[i];
      result.rgb[3 * i + static_cast<std::size_t>(c)] = blend(below, colour_of(map, shade, c), mask);
    }
  }
  return result;
}

}  // namespace smoothserve
