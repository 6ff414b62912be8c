// Explains a photo: example MODEL.onnx PHOTO OVERLAY.png
#include <smoothserve/explainer.h>

#include <cstdio>

int main(int count, char** words) try {
  if (count != 4) return std::fprintf(stderr, "usage: example MODEL.onnx PHOTO OVERLAY.png\n"), 2;
  const auto explainer = smoothserve::Explainer::load(words[1]);
  const auto photo = smoothserve::read_photo(words[2]);
  const auto answer = explainer.explain(photo);
  std::printf("%s %.4f\n", answer.label.c_str(), answer.probability);
  smoothserve::write_png(words[3], smoothserve::overlay(answer, explainer.card().is_signed));
} catch (const smoothserve::Error& error) {
  return std::fprintf(stderr, "example: %s\n", error.what()), 1;
}
