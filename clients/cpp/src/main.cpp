// smoothserve-cpp: an exported file and a photo in; class, heatmap and picture out.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "smoothserve/explainer.h"

namespace {

constexpr char kHelp[] = R"(usage: smoothserve-cpp MODEL.onnx PHOTO [options]

Predict the class of a photo and show why, with a file from 'smoothserve export'. The file holds the graph,
the preprocessing and the class names. PHOTO is JPEG or PNG.

  -o, --output PNG      write the heatmap over the part of the photo that the network saw
  --array NPY           write the heatmap as a float32 array [H, W] in [0, 1]
  --input NPY           write the network's input, float32 [C, H, W], to compare with your own
  --target CLASS        number or label of the class to explain (default: the predicted one)
  --top K               how many classes to print (default 5)
  --json                print JSON, on one line

the picture of -o:
  --colour              leave the photo its colours (default: grey)
  --colormap NAME       inferno, magma, viridis, cividis, grey, batlow; of signed heatmaps blue-red,
                        purple-orange, vik, berlin, roma_r
  --opacity 0..1        of the strongest pixels (default 0.85)

running:
  --threads N           of ONNX Runtime (default: it chooses)
  --device NAME         auto, cpu, cuda or tensorrt, and which GPU: cuda:1 (default auto). Not tested on a GPU
  -h, --help            this text

examples:
  smoothserve-cpp model.onnx cat.jpg -o overlay.png
  smoothserve-cpp model.onnx cat.jpg --target "tiger cat" -o overlay.png --colour
  smoothserve-cpp model.onnx cat.jpg --json --array heat.npy

It ends with 0; 1 where the file or the photo cannot be used; 2 where the command line is wrong.
)";

// A command line that is wrong.
class UsageError : public smoothserve::Error {
 public:
  using Error::Error;
};

struct Arguments {
  std::string model, photo;
  std::map<std::string, std::string> given;  // option -> value; flags: ""

  bool has(const std::string& option) const { return given.count(option) != 0; }
  std::string text(const std::string& option, const std::string& otherwise = "") const {
    const auto found = given.find(option);
    return found == given.end() ? otherwise : found->second;
  }
};

Arguments arguments_of(int count, char** words) {
  static const std::map<std::string, bool> options = {
      // whether a value follows
      {"--output", true},  {"--array", true},   {"--input", true},   {"--target", true},
      {"--top", true},     {"--json", false},   {"--colour", false}, {"--colormap", true},
      {"--opacity", true}, {"--threads", true}, {"--device", true},
  };
  Arguments arguments;
  std::vector<std::string> names;
  bool only_names = false;  // behind "--"
  for (int i = 1; i < count; ++i) {
    std::string word = words[i];
    if (word == "--" && !only_names) {
      only_names = true;
      continue;
    }
    if (word == "-o" && !only_names) word = "--output";
    if (only_names || word.size() < 2 || word[0] != '-') {
      names.push_back(word);
      continue;
    }
    const auto equals = word.find('=');
    const std::string option = word.substr(0, equals);
    const auto known = options.find(option);
    if (known == options.end()) throw UsageError("There is no option " + option + ".");
    if (!known->second && equals != std::string::npos) throw UsageError(option + " takes no value.");
    std::string value;
    if (known->second) {
      if (equals != std::string::npos) value = word.substr(equals + 1);
      else if (++i < count) value = words[i];
      else throw UsageError(option + " needs a value.");
    }
    arguments.given[option] = value;
  }
  if (names.size() != 2) {
    throw UsageError(std::to_string(names.size()) + " files are named, expected two: MODEL.onnx and PHOTO.");
  }
  arguments.model = names[0];
  arguments.photo = names[1];
  return arguments;
}

double number(const Arguments& arguments, const std::string& option, double low, double high,
              double otherwise) {
  if (!arguments.has(option)) return otherwise;
  const std::string text = arguments.text(option);
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= low && value <= high)) {
    std::ostringstream message;
    message << option << ' ' << text << ": expected a number from " << low << " to " << high << '.';
    throw UsageError(message.str());
  }
  return value;
}

int whole(const Arguments& arguments, const std::string& option, int low, int high, int otherwise) {
  const double value = number(arguments, option, low, high, otherwise);
  if (value != std::floor(value)) throw UsageError(option + ": expected a whole number.");
  return static_cast<int>(value);
}

smoothserve::Options options_of(const Arguments& arguments) {
  using smoothserve::Device;
  static const std::map<std::string, Device> devices = {
      {"auto", Device::automatic}, {"cpu", Device::cpu}, {"cuda", Device::cuda},
      {"tensorrt", Device::tensorrt}};
  smoothserve::Options options;
  options.threads = whole(arguments, "--threads", 1, 1024, 0);
  const std::string text = arguments.text("--device", "auto");
  const auto colon = text.find(':');
  const auto device = devices.find(text.substr(0, colon));
  const std::string number = colon == std::string::npos ? "0" : text.substr(colon + 1);
  const bool counted = !number.empty() && number.size() < 4 &&
                       number.find_first_not_of("0123456789") == std::string::npos;
  const bool has_number = device != devices.end() && device->second != Device::automatic &&
                          device->second != Device::cpu;
  if (device == devices.end() || !counted || (colon != std::string::npos && !has_number))
    throw UsageError("--device " + text + ": expected auto, cpu, cuda, cuda:N or tensorrt.");
  options.device = device->second;
  options.gpu = std::stoi(number);
  return options;
}

nlohmann::ordered_json entry(const smoothserve::Card& card, std::int64_t index, float score) {
  const double rounded = std::nearbyint(static_cast<double>(score) * 1e6) / 1e6;
  return {{"class", index},
          {"label", card.label(index)},
          {card.has_probabilities() ? "probability" : "value", rounded}};
}

void print_json(const Arguments& arguments, const smoothserve::Card& card, const smoothserve::Answer& answer,
                std::size_t top) {
  auto predictions = nlohmann::ordered_json::array();
  for (const auto index : answer.best(top)) {
    predictions.push_back(entry(card, index, answer.scores[static_cast<std::size_t>(index)]));
  }
  nlohmann::ordered_json line = {
      {"photo", arguments.photo},
      {"model", arguments.model.substr(arguments.model.find_last_of('/') + 1)},
      {"explained", entry(card, answer.class_index, answer.probability)},
  };
  if (!answer.others.empty()) {
    line["all_explained"] = {line["explained"]};
    for (const auto& other : answer.others)
      line["all_explained"].push_back(entry(card, other.class_index, other.probability));
  }
  line["predictions"] = predictions;
  std::cout << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

void print_table(const smoothserve::Card& card, const smoothserve::Answer& answer, std::size_t top) {
  auto rows = answer.best(top);
  bool shown = false;
  for (const auto index : rows) shown = shown || index == answer.class_index;
  if (!shown) rows.push_back(answer.class_index);
  for (const auto index : rows) {
    std::printf("%c %7.4f  %5lld  %s\n", index == answer.class_index ? '*' : ' ',
                static_cast<double>(answer.scores[static_cast<std::size_t>(index)]),
                static_cast<long long>(index), card.label(index).c_str());
  }
  std::printf("* is the class that the heatmap explains\n");
}

// A result must replace neither what it is made of nor another result.
void check_results(const Arguments& arguments) {
  std::vector<std::string> taken = {arguments.model, arguments.photo};
  for (const char* option : {"--output", "--array", "--input"}) {
    if (!arguments.has(option)) continue;
    const std::string name = arguments.text(option);
    for (const std::string& other : taken) {
      std::error_code unknown;  // of files that are not there yet
      if (name == other || std::filesystem::equivalent(name, other, unknown))
        throw UsageError(std::string(option) + ' ' + name + " would replace " + other + ". Give it another name.");
    }
    taken.push_back(name);
  }
  if (arguments.has("--output") && std::filesystem::path(arguments.text("--output")).extension() != ".png")
    throw UsageError(arguments.text("--output") + " would be a PNG file. Give it a name that ends in .png.");
}

void run(const Arguments& arguments) {
  check_results(arguments);
  const auto explainer = smoothserve::Explainer::load(arguments.model, options_of(arguments));
  const smoothserve::Card& card = explainer.card();
  const int top = whole(arguments, "--top", 1, static_cast<int>(card.classes),
                        static_cast<int>(std::min<std::int64_t>(5, card.classes)));
  smoothserve::Look look;
  look.opacity = number(arguments, "--opacity", 0, 1, look.opacity);
  look.colour = arguments.has("--colour");
  look.colormap = arguments.text("--colormap");
  const std::int64_t target =
      arguments.has("--target") ? explainer.class_named(arguments.text("--target")) : smoothserve::predicted;
  const auto photo = smoothserve::read_photo(arguments.photo);
  const auto answer = explainer.explain(photo, target);
  if (arguments.has("--output")) {
    smoothserve::write_png(arguments.text("--output"), smoothserve::overlay(answer, card.is_signed, look));
  }
  const auto& heat = answer.heatmap;
  if (arguments.has("--array"))
    smoothserve::write_npy(arguments.text("--array"), heat.values, {heat.height, heat.width});
  if (arguments.has("--input")) {
    smoothserve::write_npy(arguments.text("--input"), smoothserve::to_input(answer.seen, card.preprocessing),
                           {card.channels, heat.height, heat.width});
  }
  if (arguments.has("--json")) print_json(arguments, card, answer, static_cast<std::size_t>(top));
  else print_table(card, answer, static_cast<std::size_t>(top));
  std::cout.flush();
  if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
    throw std::runtime_error("The answer cannot be written to standard output: is the disk full?");
}

}  // namespace

int main(int count, char** words) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "-h" || word == "--help") {
      std::fputs(kHelp, stdout);
      return 0;
    }
  }
  try {
    run(arguments_of(count, words));
    return 0;
  } catch (const UsageError& error) {
    std::cerr << "smoothserve-cpp: error: " << error.what() << " See smoothserve-cpp --help.\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "smoothserve-cpp: error: " << error.what() << '\n';
    return 1;
  }
}
