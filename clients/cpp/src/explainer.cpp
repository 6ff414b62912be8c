// Explainer: photos -> batches -> answers.
#include "smoothserve/explainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "session.h"

namespace smoothserve {
namespace {

// [K] -> [K]: probabilities by the card's outputs; values as they are.
std::vector<float> scores_of(const float* logits, const Card& card) {
  std::vector<double> wide(logits, logits + card.classes);
  if (card.outputs == "exclusive") {
    const double peak = *std::max_element(wide.begin(), wide.end());
    double sum = 0;
    for (double& value : wide) sum += value = std::exp(value - peak);
    for (double& value : wide) value /= sum;
  } else if (card.outputs == "independent") {
    for (double& value : wide) value = 1 / (1 + std::exp(-value));  // 1 / infinity is 0
  }
  return {wide.begin(), wide.end()};
}

bool finite(const float* begin, std::size_t count) {
  return std::all_of(begin, begin + count, [](float value) { return std::isfinite(value); });
}

// The answer to image `number` of a run.
Answer answer_of(const detail::Outputs& outputs, std::size_t number, const Card& card) {
  const std::size_t classes = card.classes, explained = card.top_k;
  const int width = card.preprocessing.crop_width, height = card.preprocessing.crop_height;
  const std::size_t area = std::size_t{1} * width * height;
  const float* logits = outputs.logits.data() + number * classes;
  const float* heat = outputs.heatmaps.data() + number * explained * area;
  if (!finite(logits, classes) || !finite(heat, explained * area)) {
    throw ModelError(
        "The network's answer to this input is not finite. Is it preprocessed as the model expects?");
  }
  Answer answer;
  answer.scores = scores_of(logits, card);
  for (std::size_t i = 0; i < explained; ++i, heat += area) {
    Explained each;
    each.class_index = outputs.classes[number * explained + i];
    if (each.class_index < 0 || each.class_index >= card.classes) {
      throw ModelError("The graph explained class " + std::to_string(each.class_index) +
                       ", which does not exist.");
    }
    each.label = card.label(each.class_index);
    each.probability = answer.scores[static_cast<std::size_t>(each.class_index)];
    each.heatmap = {width, height, {heat, heat + area}};
    if (i == 0) static_cast<Explained&>(answer) = std::move(each);
    else answer.others.push_back(std::move(each));
  }
  return answer;
}

}  // namespace

std::vector<std::int64_t> Answer::best(std::size_t count) const {
  std::vector<std::int64_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [this](std::int64_t a, std::int64_t b) {
    return scores[static_cast<std::size_t>(a)] > scores[static_cast<std::size_t>(b)];
  });
  order.resize(std::min(count, order.size()));
  return order;
}

struct Explainer::State {
  detail::Session session;
  std::size_t batch;
};

Explainer::Explainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Explainer::Explainer(Explainer&&) noexcept = default;
Explainer& Explainer::operator=(Explainer&&) noexcept = default;
Explainer::~Explainer() = default;

Explainer Explainer::load(const std::string& path, const Options& options) {
  detail::Session session(path, options);
  return Explainer(
      std::make_unique<State>(State{std::move(session), static_cast<std::size_t>(options.batch)}));
}

const Card& Explainer::card() const noexcept { return state_->session.card(); }

bool Explainer::on_gpu() const noexcept { return state_->session.on_gpu(); }

Answer Explainer::explain(const Image& photo, std::int64_t target) const {
  return std::move(explain(std::vector<Image>{photo}, {target}).front());
}

std::vector<Answer> Explainer::explain(const std::vector<Image>& photos,
                                       const std::vector<std::int64_t>& targets) const {
  std::vector<Image> pictures;
  std::vector<std::vector<float>> inputs;
  for (const Image& photo : photos) {
    pictures.push_back(crop(photo, card().preprocessing));
    inputs.push_back(to_input(pictures.back(), card().preprocessing));
  }
  auto answers = explain_inputs(inputs, targets);
  for (std::size_t i = 0; i < answers.size(); ++i) answers[i].seen = std::move(pictures[i]);
  return answers;
}

std::vector<Answer> Explainer::explain_inputs(const std::vector<std::vector<float>>& inputs,
                                              const std::vector<std::int64_t>& targets) const {
  const Card& card = this->card();
  const std::size_t size =
      std::size_t{1} * card.channels * card.preprocessing.crop_height * card.preprocessing.crop_width;
  if (!targets.empty() && targets.size() != inputs.size()) {
    throw RequestError(std::to_string(targets.size()) + " targets for " + std::to_string(inputs.size()) +
                       " images; expected one for each, or none.");
  }
  for (const auto& input : inputs) {
    if (input.size() != size) {
      throw RequestError("An input has " + std::to_string(input.size()) + " values, expected " +
                         std::to_string(size) + ": " + std::to_string(card.channels) +
                         " channels of the crop.");
    }
  }
  for (const std::int64_t target : targets) {
    if (target < predicted || target >= card.classes) {
      throw RequestError("target=" + std::to_string(target) +
                         " is out of range: the model has classes 0 to " + std::to_string(card.classes - 1) +
                         " (-1: the predicted class).");
    }
  }
  std::vector<Answer> answers;
  for (std::size_t first = 0; first < inputs.size(); first += state_->batch) {
    const std::size_t count = std::min(state_->batch, inputs.size() - first);
    std::vector<float> batch;
    batch.reserve(count * size);
    std::vector<std::int64_t> asked(count, predicted);
    for (std::size_t i = 0; i < count; ++i) {
      batch.insert(batch.end(), inputs[first + i].begin(), inputs[first + i].end());
      if (!targets.empty()) asked[i] = targets[first + i];
    }
    const auto outputs = state_->session.run(batch, asked);
    for (std::size_t i = 0; i < count; ++i) answers.push_back(answer_of(outputs, i, card));
  }
  return answers;
}

std::int64_t Explainer::class_named(const std::string& text) const {
  const Card& card = this->card();
  const auto is_label = [&card](const std::string& name) {
    return std::find(card.labels.begin(), card.labels.end(), name) != card.labels.end();
  };
  const bool prefixed = (text.rfind("class:", 0) == 0 || text.rfind("label:", 0) == 0) && !is_label(text);
  const std::string kind = prefixed ? text.substr(0, 5) : "";
  const std::string named = prefixed ? text.substr(6) : text;
  std::vector<std::int64_t> same;
  for (std::size_t i = 0; kind != "class" && i < card.labels.size(); ++i) {
    if (card.labels[i] == named) same.push_back(static_cast<std::int64_t>(i));
  }
  if (same.size() > 1) {
    std::string numbers;
    for (const auto index : same) numbers += (numbers.empty() ? "" : ", ") + std::to_string(index);
    throw RequestError("target='" + text + "' is the label of classes " + numbers +
                       "; give one of these numbers.");
  }
  const std::size_t sign = !named.empty() && (named[0] == '-' || named[0] == '+') ? 1 : 0;
  const bool number = kind != "label" && named.size() > sign && named.size() < 10 &&
                      std::all_of(
                          named.begin() + static_cast<std::ptrdiff_t>(sign), named.end(),
                          [](unsigned char c) { return c >= '0' && c <= '9'; });
  const std::int64_t index = number ? std::stoll(named) : 0;
  const bool in_range = number && index >= predicted && index < card.classes;
  if (!same.empty() && in_range && index != same[0]) {
    throw RequestError("target='" + text + "' is the number of one class and the label of class " +
                       std::to_string(same[0]) + "; give class:" + text + " or label:" + text + ".");
  }
  if (!same.empty()) return same[0];
  if (in_range) return index;
  if (number) {
    throw RequestError("target=" + named + " is out of range: the model has classes 0 to " +
                       std::to_string(card.classes - 1) + " (-1: the predicted class).");
  }
  throw RequestError(
      "target='" + text.substr(0, 80) + "' is no class: expected " +
      (card.labels.empty() ? "a number (this model has no labels)." : "a number or one of its labels."));
}

}  // namespace smoothserve
