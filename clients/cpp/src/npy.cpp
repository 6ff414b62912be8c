// Arrays as NumPy files.
#include <fstream>

#include "smoothserve/explainer.h"

namespace smoothserve {

void write_npy(const std::string& path, const std::vector<float>& values, const std::vector<int>& shape) {
  std::string sides;
  std::size_t count = 1;
  for (const int side : shape) {
    sides += std::to_string(side) + ", ";
    count *= static_cast<std::size_t>(side);
  }
  if (count != values.size()) {
    throw RequestError(std::to_string(values.size()) + " values do not fill an array of shape (" + sides +
                       ").");
  }
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + sides + "), }";
  constexpr std::size_t before = 10;  // magic, version, length
  header.append(63 - (before + header.size()) % 64, ' ').push_back('\n');
  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  const char length[] = {static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  file.write(length, 2).write(header.data(), static_cast<std::streamsize>(header.size()));
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(4 * values.size()));
  file.close();
  if (!file) throw RequestError(path + " cannot be written.");
}

}  // namespace smoothserve
