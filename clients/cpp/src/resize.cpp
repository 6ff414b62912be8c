// Pillow's resize: antialiased filters with weights of 22 bits, each axis rounded to 8 bits by itself.
#include "resize.h"

#include <algorithm>
#include <cmath>

namespace smoothserve::detail {
namespace {

constexpr int kBits = 22;  // of a weight's fraction
constexpr double kPi = 3.14159265358979323846;

struct Filter {
  double support;
  double (*weight)(double);
};

double bilinear(double x) {
  x = std::fabs(x);
  return x < 1 ? 1 - x : 0;
}

double bicubic(double x) {  // of Keys, a = -0.5
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double sinc(double x) { return x == 0 ? 1 : std::sin(x * kPi) / (x * kPi); }

double lanczos(double x) { return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

Filter filter_named(const std::string& name) {
  if (name == "bilinear") return {1, bilinear};
  if (name == "bicubic") return {2, bicubic};
  return {3, lanczos};
}

// Which inputs one output is made of, from `first` on.
struct Weights {
  int first;
  std::vector<int> fixed;  // of 22 bits
};

// For the outputs from..from + count of an axis that shrinks or grows from `in` to `out` pixels.
std::vector<Weights> weights_of(int in, int out, const Filter& filter, int from, int count) {
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);  // a shrinking picture widens the filter: no aliasing
  const double support = filter.support * stretch, narrow = 1 / stretch;
  std::vector<Weights> all(count);
  std::vector<double> exact;
  for (int i = 0; i < count; ++i) {
    const double centre = (from + i + 0.5) * scale;
    const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + support + 0.5), in);
    exact.clear();
    double sum = 0;
    for (int x = first; x < end; ++x) {
      exact.push_back(filter.weight((x - centre + 0.5) * narrow));
      sum += exact.back();
    }
    all[i].first = first;
    for (double weight : exact) {
      if (sum != 0) weight /= sum;
      all[i].fixed.push_back(static_cast<int>(std::copysign(0.5, weight) + weight * (1 << kBits)));
    }
  }
  return all;
}

std::uint8_t in_8_bits(int sum) { return static_cast<std::uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

// Rows top..top + height of the photo, each made of `columns`; the same rows where the width does not change.
Image across(const Image& photo, const std::vector<Weights>& columns, int top, int height) {
  Image result{static_cast<int>(columns.size()), height, Bytes(std::size_t{3} * columns.size() * height)};
  std::uint8_t* out = result.rgb.data();
  for (int y = top; y < top + height; ++y) {
    const std::uint8_t* row = &photo.rgb[std::size_t{3} * photo.width * y];
    for (const Weights& column : columns) {
      int red = 1 << (kBits - 1), green = red, blue = red;
      const std::uint8_t* in = row + 3 * column.first;
      for (int weight : column.fixed) {
        red += in[0] * weight, green += in[1] * weight, blue += in[2] * weight;
        in += 3;
      }
      *out++ = in_8_bits(red), *out++ = in_8_bits(green), *out++ = in_8_bits(blue);
    }
  }
  return result;
}

// The rows of the result, made of rows of `photo`, whose first is row `top` of the axis.
Image down(const Image& photo, const std::vector<Weights>& rows, int top) {
  Image result{photo.width, static_cast<int>(rows.size()), Bytes(std::size_t{3} * photo.width * rows.size())};
  const std::size_t stride = std::size_t{3} * photo.width;
  std::vector<int> sums(stride);
  std::uint8_t* out = result.rgb.data();
  for (const Weights& row : rows) {
    std::fill(sums.begin(), sums.end(), 1 << (kBits - 1));
    const std::uint8_t* in = &photo.rgb[stride * (row.first - top)];
    for (int weight : row.fixed) {
      for (std::size_t x = 0; x < stride; ++x) sums[x] += in[x] * weight;
      in += stride;
    }
    out = std::transform(sums.begin(), sums.end(), out, in_8_bits);
  }
  return result;
}

// Weights of 1 where an axis keeps its length: Pillow leaves it as it is.
std::vector<Weights> axis(int in, int out, const Filter& filter, int from, int count) {
  if (in != out) return weights_of(in, out, filter, from, count);
  std::vector<Weights> all(count);
  for (int i = 0; i < count; ++i) all[i] = {from + i, {1 << kBits}};
  return all;
}

// Positions are added up step by step, as Pillow does: rounding is part of the result.
std::vector<Weights> nearest(int in, int out, int from, int count) {
  const double step = static_cast<double>(in) / out;
  double position = step * 0.5;
  std::vector<Weights> all;
  for (int i = 0; i < from + count; ++i, position += step) {
    if (i >= from) all.push_back({std::min(static_cast<int>(position), in - 1), {1 << kBits}});
  }
  return all;
}

}  // namespace

Image resized(const Image& photo, int width, int height, const std::string& filter, const Box& box) {
  std::vector<Weights> columns, rows;
  if (filter == "nearest") {
    columns = nearest(photo.width, width, box.left, box.width);
    rows = nearest(photo.height, height, box.top, box.height);
  } else {
    const Filter chosen = filter_named(filter);
    columns = axis(photo.width, width, chosen, box.left, box.width);
    rows = axis(photo.height, height, chosen, box.top, box.height);
  }
  const int top = rows.front().first;
  const int bottom = rows.back().first + static_cast<int>(rows.back().fixed.size());
  return down(across(photo, columns, top, bottom - top), rows, top);
}

}  // namespace smoothserve::detail
