// Times what benchmarks/cpp.py asks for: smoothserve-timing MODEL PHOTO THREADS
//
// Prints the milliseconds of loading; then, for each line of its input, those of reading the photo and
// explaining it.
#include <chrono>
#include <iostream>
#include <string>

#include "smoothserve/explainer.h"

int main(int count, char** words) {
  if (count != 4) return 2;
  const auto timed = [](auto&& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - start;
    std::cout << taken.count() << std::endl;
  };
  smoothserve::Options options;
  options.threads = std::stoi(words[3]);
  std::unique_ptr<smoothserve::Explainer> explainer;
  timed([&] {
    explainer = std::make_unique<smoothserve::Explainer>(smoothserve::Explainer::load(words[1], options));
  });
  for (std::string line; std::getline(std::cin, line);) {
    timed([&] { explainer->explain(smoothserve::read_photo(words[2])); });
  }
}
