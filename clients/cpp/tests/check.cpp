// What the tests need of the library besides the program: any preprocessing, batches, threads, fuzzing.
//
// usage: smoothserve-check prepare RESIZE HEIGHT WIDTH MEAN STD FILTER CHANNELS FOLDER PHOTO...
//            writes FOLDER/PHOTO.npy, or the reason as FOLDER/PHOTO.txt; RESIZE 0: none; MEAN and STD: a,b,c
//        smoothserve-check together MODEL PHOTO...
//            answers; their largest difference in batches, and from threads
//        smoothserve-check fuzz SEED COUNT MODEL PHOTO...
//            photos that were read, that were refused; models that were loaded, that were refused
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <thread>

#include "mutation.h"
#include "smoothserve/explainer.h"

namespace {

using smoothserve::Bytes;

Bytes bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<float> numbers(const std::string& text) {
  std::istringstream stream(text);
  std::vector<float> all;
  for (std::string each; std::getline(stream, each, ',');) all.push_back(std::stof(each));
  return all;
}

// A photo that is refused leaves the reason in its place.
void prepare(const std::vector<std::string>& words) {
  smoothserve::Preprocessing steps;
  if (words.at(0) != "0") steps.resize = std::stoi(words[0]);
  steps.crop_height = std::stoi(words.at(1));
  steps.crop_width = std::stoi(words.at(2));
  steps.mean = numbers(words.at(3));
  steps.std = numbers(words.at(4));
  steps.interpolation = words.at(5);
  steps.channels = words.at(6);
  for (std::size_t i = 8; i < words.size(); ++i) {
    const std::string name = words[7] + "/" + words[i].substr(words[i].find_last_of('/') + 1);
    try {
      const auto input =
          smoothserve::to_input(smoothserve::crop(smoothserve::read_photo(words[i]), steps), steps);
      const int channels = static_cast<int>(steps.channels.size());
      smoothserve::write_npy(name + ".npy", input, {channels, steps.crop_height, steps.crop_width});
    } catch (const smoothserve::Error& error) {
      std::ofstream(name + ".txt") << error.what();
    }
  }
}

float difference(const smoothserve::Answer& a, const smoothserve::Answer& b) {
  float largest = std::fabs(a.probability - b.probability);
  if (a.class_index != b.class_index) return 1;
  for (std::size_t i = 0; i < a.heatmap.values.size(); ++i) {
    largest = std::max(largest, std::fabs(a.heatmap.values[i] - b.heatmap.values[i]));
  }
  return largest;
}

// Each photo by itself, against all in batches, and against the same from four threads at once.
void together(const std::vector<std::string>& words) {
  const auto explainer = smoothserve::Explainer::load(words.at(0));
  std::vector<smoothserve::Image> photos;
  std::vector<std::int64_t> targets;
  std::vector<smoothserve::Answer> alone;
  for (std::size_t i = 1; i < words.size(); ++i) {
    photos.push_back(smoothserve::read_photo(words[i]));
    targets.push_back(i % 2 == 0 ? smoothserve::predicted
                                 : static_cast<std::int64_t>(i) % explainer.card().classes);
    alone.push_back(explainer.explain(photos.back(), targets.back()));
  }
  float in_batches = 0;
  const auto batched = explainer.explain(photos, targets);
  for (std::size_t i = 0; i < photos.size(); ++i)
    in_batches = std::max(in_batches, difference(alone[i], batched[i]));
  std::vector<float> each(4, 0.0f);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < each.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < photos.size(); ++i) {
        const std::size_t which = (i + t) % photos.size();
        each[t] =
            std::max(each[t], difference(alone[which], explainer.explain(photos[which], targets[which])));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::cout << alone.size() << ' ' << in_batches << ' ' << *std::max_element(each.begin(), each.end())
            << '\n';
}

// Broken files are refused by this library's errors, or read; nothing else may happen.
void fuzz(const std::vector<std::string>& words) {
  std::mt19937 random(static_cast<std::mt19937::result_type>(std::stoul(words.at(0))));
  const std::size_t count = std::stoul(words.at(1));
  const Bytes model = bytes_of(words.at(2));
  const std::string broken_model = words.at(2) + ".broken";
  std::size_t photos_read = 0, photos_refused = 0, models_read = 0, models_refused = 0;
  const smoothserve::Preprocessing steps{40, 32, 32, {0, 0, 0}, {1, 1, 1}, "bicubic", "RGB"};
  for (std::size_t i = 0; i < count; ++i) {
    const Bytes photo = smoothserve::testing::broken(bytes_of(words.at(3 + i % (words.size() - 3))), random);
    try {
      smoothserve::to_input(smoothserve::crop(smoothserve::decode(photo, 1'000'000), steps), steps);
      ++photos_read;
    } catch (const smoothserve::Error&) {
      ++photos_refused;
    }
    if (i % 16 != 0) continue;  // loading takes longer
    const Bytes file = smoothserve::testing::broken(model, random);
    std::ofstream(broken_model, std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    try {
      const auto explainer = smoothserve::Explainer::load(broken_model);
      ++models_read;
      explainer.explain(smoothserve::Image{1, 1, {0, 0, 0}});
    } catch (const smoothserve::Error&) {
      ++models_refused;
    }
  }
  std::remove(broken_model.c_str());
  std::cout << photos_read << ' ' << photos_refused << ' ' << models_read << ' ' << models_refused << '\n';
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> all(words + 1, words + count);
  const std::vector<std::string> rest(all.begin() + (all.empty() ? 0 : 1), all.end());
  const std::string command = all.empty() ? "" : all[0];
  if (command == "prepare") prepare(rest);
  else if (command == "together") together(rest);
  else if (command == "fuzz") fuzz(rest);
  else return 2;
}
