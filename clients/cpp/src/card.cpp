// Reads the card: JSON whose every field is checked, since files come from elsewhere.
#include "card.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace smoothserve {
namespace detail {
namespace {

using Json = nlohmann::json;

[[noreturn]] void damaged(const std::string& why) { throw ModelError("The card is damaged: " + why + "."); }

int whole(const Json& value, const char* name) {
  if (!value.is_number_integer() || value < 1 || value > 1'000'000) {
    damaged(std::string(name) + " is " + value.dump().substr(0, 80) + ", expected a whole number from 1");
  }
  return value.get<int>();
}

std::string one_of(const Json& value, const char* name, const std::vector<std::string>& known) {
  const auto text = value.get<std::string>();
  if (std::find(known.begin(), known.end(), text) == known.end()) {
    std::string names;
    for (const auto& each : known) names += (names.empty() ? "" : ", ") + each;
    damaged(std::string(name) + " is " + text.substr(0, 80) + ", expected one of " + names);
  }
  return text;
}

Preprocessing preprocessing_of(const Json& json) {
  Preprocessing steps;
  if (!json.at("resize").is_null()) steps.resize = whole(json.at("resize"), "resize");
  steps.crop_height = whole(json.at("crop").at(0), "crop");
  steps.crop_width = whole(json.at("crop").at(1), "crop");
  steps.mean = json.at("mean").get<std::vector<float>>();
  steps.std = json.at("std").get<std::vector<float>>();
  steps.interpolation =
      one_of(json.at("interpolation"), "interpolation", {"nearest", "bilinear", "bicubic", "lanczos"});
  steps.channels = one_of(json.at("channels"), "channels", {"RGB", "BGR", "L", "planes"});
  const std::size_t channels = steps.channels == "planes" ? steps.mean.size() : steps.channels.size();
  if (steps.mean.size() != channels || steps.std.size() != channels) {
    damaged("mean and std have other lengths than channels");
  }
  for (float deviation : steps.std) {
    if (!(deviation > 0)) damaged("std holds a number that is not greater than 0");
  }
  if (steps.resize && *steps.resize < std::max(steps.crop_height, steps.crop_width)) {
    damaged("resize is smaller than the crop");
  }
  return steps;
}

Card read(const Json& json, const std::string& text) {
  const Json& format = json.at("format");
  if (format != 1 && format != 2) {
    throw ModelError("The card has format " + format.dump().substr(0, 80) +
                     ", this library reads 1 and 2. Use a matching version.");
  }
  Card card;
  card.name = json.at("name").get<std::string>();
  card.method = json.at("method").at("name").get<std::string>();
  card.classes = whole(json.at("classes"), "classes");
  if (!json.at("labels").is_null()) card.labels = json.at("labels").get<std::vector<std::string>>();
  card.is_signed = json.at("signed").get<bool>();
  card.outputs = format == 1 ? "exclusive"
                             : one_of(json.at("outputs"), "outputs",
                                      {"exclusive", "independent", "probabilities", "values"});
  card.top_k = whole(json.value("top_k", Json(1)), "top_k");
  card.preprocessing = preprocessing_of(json.at("preprocessing"));
  const Json& shape = json.at("image_shape");
  card.channels = whole(shape.at(0), "image_shape");
  card.json = text;
  if (!card.labels.empty() && card.labels.size() != static_cast<std::size_t>(card.classes)) {
    damaged(std::to_string(card.labels.size()) + " labels for " + std::to_string(card.classes) + " classes");
  }
  if (card.top_k > card.classes) damaged("top_k is greater than classes");
  const Preprocessing& steps = card.preprocessing;
  if (steps.mean.size() != static_cast<std::size_t>(card.channels) ||
      whole(shape.at(1), "image_shape") != steps.crop_height ||
      whole(shape.at(2), "image_shape") != steps.crop_width) {
    damaged("image_shape contradicts the preprocessing");
  }
  return card;
}

}  // namespace

Card card_from_json(const std::string& text) {
  try {
    return read(Json::parse(text), text);
  } catch (const Json::exception& error) {
    damaged(error.what());
  }
}

}  // namespace detail

std::string Card::label(std::int64_t index) const {
  const bool named = index >= 0 && static_cast<std::size_t>(index) < labels.size();
  return named ? labels[static_cast<std::size_t>(index)] : std::to_string(index);
}

bool Card::has_probabilities() const { return outputs != "values"; }

}  // namespace smoothserve
