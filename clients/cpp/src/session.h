// ONNX Runtime: a file's session with the server's settings, and its runs.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <string>
#include <vector>

#include "smoothserve/explainer.h"

namespace smoothserve::detail {

// What a run gives for n images, one after the other.
struct Outputs {
  std::vector<float> logits;          // [n, K]
  std::vector<std::int64_t> classes;  // [n, top_k]
  std::vector<float> heatmaps;        // [n, top_k, H, W]
};

class Session {
 public:
  // Throws ModelError: the file cannot be loaded, has no card, or another signature than its card says.
  Session(const std::string& path, const Options& options);

  const Card& card() const { return card_; }
  bool on_gpu() const { return on_gpu_; }

  // inputs: [n, C, H, W]; targets: [n]. Throws ModelError. From several threads at once, if need be.
  Outputs run(std::vector<float>& inputs, std::vector<std::int64_t>& targets) const;

 private:
  void check_signature() const;

  mutable Ort::Session session_{nullptr};  // Run is const in all but name
  Card card_;
  bool on_gpu_ = false;
};

}  // namespace smoothserve::detail
