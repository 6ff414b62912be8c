// Broken files, from good ones.
#include "mutation.h"

#include <zlib.h>

#include <algorithm>

namespace smoothserve::testing {
namespace {

// With whole chunks from byte 8 on: length, type, data, checksum of type and data.
void mend_checksums(Bytes& png) {
  const auto number = [&png](std::size_t at) {
    return std::size_t{png[at]} << 24 | std::size_t{png[at + 1]} << 16 | std::size_t{png[at + 2]} << 8 |
           png[at + 3];
  };
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t size = number(at);
    if (size > png.size() - at - 12) return;
    const auto sum = crc32(0, &png[at + 4], static_cast<uInt>(size + 4));
    for (int i = 0; i < 4; ++i)
      png[at + 8 + size + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
    at += 12 + size;
  }
}

}  // namespace

Bytes broken(Bytes file, std::mt19937& random) {
  const auto below = [&random](std::size_t limit) {
    return std::size_t{random()} % std::max<std::size_t>(limit, 1);
  };
  const bool png = file.size() > 8 && file[0] == 0x89;
  for (std::size_t changes = 1 + below(4); changes > 0 && file.size() > 16; --changes) {
    // Half of the changes are in the first bytes, where sizes and tables are.
    const std::size_t at = below(below(2) == 0 ? std::min<std::size_t>(file.size(), 700) : file.size());
    const auto from = file.begin() + static_cast<std::ptrdiff_t>(at);
    const auto end = from + static_cast<std::ptrdiff_t>(std::min<std::size_t>(below(64), file.size() - at));
    switch (below(6)) {
      case 0: file[at] ^= static_cast<std::uint8_t>(1u << below(8)); break;
      case 1: file[at] = static_cast<std::uint8_t>(below(256)); break;
      case 2: file[at] = below(2) == 0 ? 0 : 0xff; break;
      case 3: file.erase(from, end); break;
      case 4: {
        const Bytes again(from, end);
        file.insert(from, again.begin(), again.end());
        break;
      }
      default:
        if (below(3) == 0) file.resize(at);
    }
  }
  if (png && below(4) != 0) mend_checksums(file);
  return file;
}

}  // namespace smoothserve::testing
