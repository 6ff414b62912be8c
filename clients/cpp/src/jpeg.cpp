// JPEG -> RGB by libjpeg-turbo, with the settings of Pillow.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>  // after cstdio, whose FILE it uses

#include "formats.h"

namespace smoothserve::detail {
namespace {

constexpr int kMostScans =
    100;  // of a progressive file: each is a pass over all pixels; cameras write about ten

// libjpeg reports errors by a function that must not return.
struct Failure {
  jpeg_error_mgr manager;  // first: libjpeg's pointer to it is a pointer to this
  std::jmp_buf where;
};

[[noreturn]] void fail(j_common_ptr info) { std::longjmp(reinterpret_cast<Failure*>(info->err)->where, 1); }

void silent(j_common_ptr, int) {}

// Marker APP1 holds EXIF or XMP behind a name.
Notes notes_of(const jpeg_decompress_struct& info) {
  static const char exif[] = "Exif\0";  // and the 0 of the literal
  static const char xmp[] = "http://ns.adobe.com/xap/1.0/";
  Notes notes;
  for (auto marker = info.marker_list; marker; marker = marker->next) {
    const auto take = [marker](const char* name, std::size_t size, Bytes& into) {
      if (into.empty() && marker->data_length > size && std::memcmp(marker->data, name, size) == 0) {
        into.assign(marker->data + size, marker->data + marker->data_length);
      }
    };
    take(exif, sizeof exif, notes.exif);
    take(xmp, sizeof xmp, notes.xmp);
  }
  return notes;
}

int scans_of(const Bytes& file) {
  int scans = 0;
  for (std::size_t i = 0; i + 1 < file.size(); ++i) scans += file[i] == 0xff && file[i + 1] == 0xda;
  return scans;
}

// Inks of print, stored inverted as Adobe does.
void cmyk_to_rgb(const Bytes& row, std::uint8_t* rgb, int width) {
  for (int x = 0; x < width; ++x) {
    const int light = row[4 * x + 3];  // 255 - black
    for (int c = 0; c < 3; ++c) {
      const int product = (255 - row[4 * x + c]) * light + 128;
      const int value = light - (((product >> 8) + product) >> 8);
      rgb[3 * x + c] = static_cast<std::uint8_t>(value < 0 ? 0 : value);
    }
  }
}

// The part that longjmp may leave: it makes no objects. false: damaged.
bool read_header(jpeg_decompress_struct& info, Failure& failure, const Bytes& file) {
  if (setjmp(failure.where)) return false;
  jpeg_create_decompress(&info);
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xffff);
  jpeg_mem_src(&info, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_read_header(&info, TRUE);
  return true;
}

// Likewise; row has 4 bytes a pixel. A file that ends early is an error, where libjpeg would go on in grey.
bool read_rows(jpeg_decompress_struct& info, Failure& failure, Image& image, Bytes& row) {
  if (setjmp(failure.where)) return false;
  info.out_color_space = info.num_components == 4   ? JCS_CMYK
                         : info.num_components == 1 ? JCS_GRAYSCALE
                                                    : JCS_RGB;
  jpeg_start_decompress(&info);
  while (info.output_scanline < info.output_height) {
    std::uint8_t* rgb = &image.rgb[std::size_t{3} * image.width * info.output_scanline];
    JSAMPROW into = info.output_components == 3 ? rgb : row.data();
    jpeg_read_scanlines(&info, &into, 1);
    if (info.output_components == 4) cmyk_to_rgb(row, rgb, image.width);
    if (info.output_components == 1) {
      for (int x = 0; x < image.width; ++x) rgb[3 * x] = rgb[3 * x + 1] = rgb[3 * x + 2] = row[x];
    }
  }
  return true;
}

}  // namespace

Stored decode_jpeg(const Bytes& file, std::size_t max_pixels) {
  if (scans_of(file) > kMostScans) {
    throw PhotoError("The JPEG has more than " + std::to_string(kMostScans) +
                     " scans. Save it as an ordinary one.");
  }
  struct Decompression {
    jpeg_decompress_struct info{};
    ~Decompression() { jpeg_destroy_decompress(&info); }
  } decompression;
  jpeg_decompress_struct& info = decompression.info;
  Failure failure{};
  info.err = jpeg_std_error(&failure.manager);
  failure.manager.error_exit = fail;
  failure.manager.emit_message = silent;  // warnings: what can be decoded is
  if (!read_header(info, failure, file)) damaged();
  check_pixels(info.image_width, info.image_height, max_pixels);
  if (info.num_components == 2 || info.num_components > 4) damaged();
  info.src->fill_input_buffer = [](j_decompress_ptr ended) -> boolean {
    ended->err->error_exit(reinterpret_cast<j_common_ptr>(ended));
    return FALSE;
  };
  const int width = static_cast<int>(info.image_width), height = static_cast<int>(info.image_height);
  Stored stored{{width, height, Bytes(std::size_t{3} * width * height)}, notes_of(info)};
  Bytes row(std::size_t{4} * width);
  if (!read_rows(info, failure, stored.image, row)) damaged();
  return stored;
}

}  // namespace smoothserve::detail
