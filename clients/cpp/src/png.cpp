// PNG -> RGB, and RGB -> PNG, by libpng.
#include <png.h>

#include <cmath>
#include <csetjmp>
#include <cstring>
#include <new>

#include "formats.h"

namespace smoothserve {
namespace detail {
namespace {

// What libpng's callbacks need, and what is read so far. Errors jump to png_jmpbuf.
struct Reader {
  explicit Reader(const Bytes& bytes) : file(bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, fail, [](png_structp, png_const_charp) {});
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) throw std::bad_alloc();
  }
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  [[noreturn]] static void fail(png_structp png, png_const_charp) { png_longjmp(png, 1); }

  static void give(png_structp png, png_bytep into, std::size_t size) {
    auto* reader = static_cast<Reader*>(png_get_io_ptr(png));
    if (size > reader->file.size() - reader->at) png_error(png, "the file ends early");
    std::memcpy(into, reader->file.data() + reader->at, size);
    reader->at += size;
  }

  const Bytes& file;
  std::size_t at = 0;
  png_structp png = nullptr;
  png_infop info = nullptr;
};

// The parts that longjmp may leave: they make no objects. false: damaged.
bool read_header(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_set_read_fn(reader.png, &reader, Reader::give);
  png_set_user_limits(reader.png, 0x7fffffff, 0x7fffffff);  // pixels are counted before any is decoded
  png_read_info(reader.png, reader.info);
  const int depth = png_get_bit_depth(reader.png, reader.info);
  const int type = png_get_color_type(reader.png, reader.info);
  if (depth == 16 && type != PNG_COLOR_TYPE_GRAY) png_set_strip_16(reader.png);
  if (depth < 16 || type != PNG_COLOR_TYPE_GRAY) png_set_expand(reader.png);  // palettes, bits, transparency
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_rows(Reader& reader, std::vector<png_bytep>& rows) {
  if (setjmp(png_jmpbuf(reader.png))) return false;
  png_read_image(reader.png, rows.data());
  return true;
}

// What stands behind the pixels counts, but a damaged end does not spoil them.
void read_end(Reader& reader) {
  if (setjmp(png_jmpbuf(reader.png))) return;
  png_read_end(reader.png, reader.info);
}

Notes notes_of(const Reader& reader) {
  Notes notes;
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(reader.png, reader.info, &size, &exif)) notes.exif.assign(exif, exif + size);
  png_textp texts = nullptr;
  const int count = png_get_text(reader.png, reader.info, &texts, nullptr);
  for (int i = 0; i < count; ++i) {
    if (std::strcmp(texts[i].key, "XML:com.adobe.xmp") == 0 && texts[i].text) {
      notes.xmp.assign(texts[i].text, texts[i].text + std::strlen(texts[i].text));
    }
  }
  return notes;
}

// A value on white, as Pillow composes: 7 bits more than 8 on the way.
std::uint8_t on_white(int value, int alpha) {
  const int sum = value * alpha * 128 + 255 * (255 - alpha) * 128 + (128 << 7);
  return static_cast<std::uint8_t>((((sum >> 8) + sum) >> 8) >> 7);
}

// 16 bits to 8, in float32: halves go to the even number.
std::uint8_t in_8_bits(int high, int low) {
  return static_cast<std::uint8_t>(
      std::nearbyint(static_cast<float>(high << 8 | low) * static_cast<float>(255.0 / 65535.0)));
}

Image to_rgb(const Bytes& values, int width, int height, int channels, bool deep) {
  Image image{width, height, Bytes(std::size_t{3} * width * height)};
  const std::uint8_t* in = values.data();
  const bool transparent = channels == 2 || channels == 4;
  for (std::size_t i = 0; i < image.rgb.size(); i += 3, in += channels * (deep ? 2 : 1)) {
    for (int c = 0; c < 3; ++c) {
      const int value = deep ? in_8_bits(in[0], in[1]) : in[channels < 3 ? 0 : c];
      image.rgb[i + c] = transparent ? on_white(value, in[channels - 1]) : static_cast<std::uint8_t>(value);
    }
  }
  return image;
}

}  // namespace

Stored decode_png(const Bytes& file, std::size_t max_pixels) {
  Reader reader(file);
  if (!read_header(reader)) damaged();
  const std::size_t width = png_get_image_width(reader.png, reader.info);
  const std::size_t height = png_get_image_height(reader.png, reader.info);
  check_pixels(width, height, max_pixels);
  const std::size_t stride = png_get_rowbytes(reader.png, reader.info);
  Bytes values(stride * height);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = values.data() + y * stride;
  if (!read_rows(reader, rows)) damaged();
  read_end(reader);
  const int channels = png_get_channels(reader.png, reader.info);
  const bool deep = png_get_bit_depth(reader.png, reader.info) == 16;
  return {to_rgb(values, static_cast<int>(width), static_cast<int>(height), channels, deep),
          notes_of(reader)};
}

}  // namespace detail

void write_png(const std::string& path, const Image& image) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(image.width);
  png.height = static_cast<png_uint_32>(image.height);
  png.format = PNG_FORMAT_RGB;
  if (image.rgb.size() != std::size_t{3} * png.width * png.height) {
    throw PhotoError("The picture for " + path + " has " + std::to_string(image.rgb.size()) +
                     " bytes, expected 3 * " + std::to_string(image.width) + " * " +
                     std::to_string(image.height) + ".");
  }
  if (!png_image_write_to_file(&png, path.c_str(), 0, image.rgb.data(), 0, nullptr)) {
    throw PhotoError(path + " cannot be written: " + png.message + ".");
  }
}

}  // namespace smoothserve
