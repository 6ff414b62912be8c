// An exported file in C++: photos in; classes, heatmaps and pictures out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "smoothserve/image.h"

namespace smoothserve {

enum class Device {
  automatic,  // CUDA where the library of ONNX Runtime and the machine have it, else the CPU
  cpu,
  cuda,      // not tested on a GPU
  tensorrt,  // which compiles for minutes when it first loads a file; then CUDA; not tested on a GPU
};

struct Options {
  int threads = 0;  // of ONNX Runtime for each run; 0 leaves the number to it
  Device device = Device::automatic;
  int gpu = 0;    // which one, as nvidia-smi counts
  int batch = 4;  // photos in one run; more are run in turns, so that memory stays bounded
};

// What a file says about itself; docs/reference/card.md has every field.
struct Card {
  std::string name;    // of the classifier
  std::string method;  // of explanation, such as SmoothDiff
  std::int64_t classes = 0;
  std::vector<std::string> labels;  // one for each class, or none
  bool is_signed = false;           // heatmap values below 0.5 speak against the class
  std::string outputs;              // exclusive, independent, probabilities or values
  int top_k = 1;                    // classes that are explained in each photo
  int channels = 0;                 // C of the input
  Preprocessing preprocessing;
  std::string json;  // the whole of it

  std::string label(std::int64_t index) const;  // of a class; its number where there are no labels
  bool has_probabilities() const;               // false: outputs are values, such as of a regression
};

struct Heatmap {
  int width = 0;
  int height = 0;
  std::vector<float> values;  // in [0, 1], rows from the top
};

struct Explained {
  std::int64_t class_index = 0;
  std::string label;
  float probability = 0;  // in [0, 1]; the network's value where the card has no probabilities
  Heatmap heatmap;
};

// What the graph says about one photo. Its own fields are those of the class that was asked for, or
// predicted.
struct Answer : Explained {
  std::vector<Explained> others;  // top_k - 1 more classes, the most probable first
  std::vector<float> scores;      // [K], probabilities or values
  Image seen;                     // the part of the photo that the network saw

  std::vector<std::int64_t> best(std::size_t count) const;  // classes of the largest scores, best first
};

inline constexpr std::int64_t predicted = -1;  // as a target: explain the most probable class

struct Look {
  double opacity = 0.85;  // of the strongest pixels, in [0, 1]
  bool colour = false;    // leave the photo its colours, else it is grey
  // inferno, magma, viridis, cividis, grey or batlow; of signed heatmaps blue-red, purple-orange, vik, berlin or
  // roma_r; empty: the first.
  std::string colormap;
};

// A loaded file. Its const functions may be called from several threads at once.
class Explainer {
 public:
  // Throws ModelError: the file does not exist, is no explanation model, or the device is not there.
  static Explainer load(const std::string& path, const Options& options = {});

  Explainer(Explainer&&) noexcept;
  Explainer& operator=(Explainer&&) noexcept;
  ~Explainer();

  const Card& card() const noexcept;
  bool on_gpu() const noexcept;

  // Predicts the class of a photo, and shows why. Throws RequestError: no such class; PhotoError: see crop();
  // ModelError: the run failed, or its answer is not finite.
  Answer explain(const Image& photo, std::int64_t target = predicted) const;

  // The same for several, in batches. targets: one for each photo, or none: all are predicted.
  std::vector<Answer> explain(const std::vector<Image>& photos,
                              const std::vector<std::int64_t>& targets = {}) const;

  // The same for inputs [C, H, W] that are preprocessed already, such as from to_input(). seen stays empty.
  std::vector<Answer> explain_inputs(const std::vector<std::vector<float>>& inputs,
                                     const std::vector<std::int64_t>& targets = {}) const;

  // The class that a text means: its number, or its label as it stands; class:3 and label:3 where labels are
  // numbers. Throws RequestError: none, or several.
  std::int64_t class_named(const std::string& text) const;

 private:
  struct State;
  explicit Explainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The heatmap over the part of the photo that the network saw, as the command draws it (--bare). is_signed is
// the card's. Throws RequestError: a colour map that does not fit, an opacity outside of [0, 1], or no
// picture.
Image overlay(const Answer& answer, bool is_signed, const Look& look = {});

// The same for any heatmap and a picture of its size.
Image overlay(const Heatmap& heatmap, const Image& picture, bool is_signed, const Look& look = {});

// A NumPy file of float32 values of that shape. Throws RequestError where it cannot be written.
void write_npy(const std::string& path, const std::vector<float>& values, const std::vector<int>& shape);

}  // namespace smoothserve
