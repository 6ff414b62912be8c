// ONNX Runtime: a file's session with the server's settings, and its runs.
#include "session.h"

#include <algorithm>
#include <fstream>
#include <memory>

#include "card.h"

namespace smoothserve::detail {
namespace {

constexpr char kMetadata[] = "smoothserve.card";
constexpr char kCuda[] = "CUDAExecutionProvider";
constexpr char kTensorrt[] = "TensorrtExecutionProvider";

// One for the process, with one arena for the activations of all sessions. It is never destroyed: sessions of
// static objects may outlive it otherwise.
Ort::Env& environment() {
  static Ort::Env* shared = [] {
    auto* env = new Ort::Env(ORT_LOGGING_LEVEL_FATAL, "smoothserve");
    env->CreateAndRegisterAllocator(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault),
                                    nullptr);
    return env;
  }();
  return *shared;
}

// Those of the server, handlers/graph.py. It turns the reuse of buffers off, too, which has no switch in C.
Ort::SessionOptions session_options(const Options& options) {
  Ort::SessionOptions settings;
  settings.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  settings.DisableMemPattern();
  settings.AddConfigEntry("session.use_env_allocators", "1");
  settings.AddConfigEntry("session.force_spinning_stop", "1");
  if (options.threads > 0) settings.SetIntraOpNumThreads(options.threads);
  return settings;
}

bool has(const char* provider) {
  const auto names = Ort::GetAvailableProviders();
  return std::find(names.begin(), names.end(), provider) != names.end();
}

// Options of a provider, which C makes and takes back.
template <class T, class Create, class Release>
std::unique_ptr<T, Release> owned(Create create, Release release) {
  T* made = nullptr;
  Ort::ThrowOnError(create(&made));
  return {made, release};
}

// As in handlers/devices.py: no TF32 in files that promise float32, and no search that times algorithms.
Ort::SessionOptions on_gpu(const Options& options) {
  auto settings = session_options(options);
  const auto& api = Ort::GetApi();
  const std::string number = std::to_string(options.gpu);
  const char* const names[] = {"device_id", "use_tf32", "cudnn_conv_algo_search"};
  const char* const values[] = {number.c_str(), "0", "HEURISTIC"};
  if (options.device == Device::tensorrt) {
    const auto tensorrt = owned<OrtTensorRTProviderOptionsV2>(api.CreateTensorRTProviderOptions,
                                                              api.ReleaseTensorRTProviderOptions);
    Ort::ThrowOnError(api.UpdateTensorRTProviderOptions(tensorrt.get(), names, values, 1));
    settings.AppendExecutionProvider_TensorRT_V2(*tensorrt);
  }
  const auto cuda = owned<OrtCUDAProviderOptionsV2>(api.CreateCUDAProviderOptions, api.ReleaseCUDAProviderOptions);
  Ort::ThrowOnError(api.UpdateCUDAProviderOptions(cuda.get(), names, values, 3));
  settings.AppendExecutionProvider_CUDA_V2(*cuda);
  return settings;
}

std::string why_not_loaded(const std::string& path, const std::string& error) {
  if (error.find("INVALID_PROTOBUF") != std::string::npos ||
      error.find("No graph was found") != std::string::npos ||
      error.find("Protobuf parsing failed") != std::string::npos) {
    return path +
           " is not an ONNX file, or a damaged one: expected one that smoothserve wrote "
           "('smoothserve export', to_onnx).";
  }
  return path + " cannot be loaded by ONNX Runtime: " + error;
}

template <class Path>
Ort::Session opened(const Path& path, const Options& options, bool gpu) {
  return Ort::Session(environment(), path, gpu ? on_gpu(options) : session_options(options));
}

}  // namespace

Session::Session(const std::string& path, const Options& options) {
  if (!std::ifstream(path).is_open()) throw ModelError(path + " does not exist, or cannot be read.");
  if (options.threads < 0 || options.batch < 1) {
    throw RequestError("threads is " + std::to_string(options.threads) + " and batch " +
                       std::to_string(options.batch) +
                       ", expected threads from 0 (ONNX Runtime chooses) and a batch from 1.");
  }
  try {
    const bool tensorrt = options.device == Device::tensorrt;
    const bool asked = tensorrt || options.device == Device::cuda;
    if (asked && !has(tensorrt ? kTensorrt : kCuda)) {
      throw ModelError(std::string("This library of ONNX Runtime has no ") + (tensorrt ? "TensorRT" : "CUDA") +
                       ". Link against that of onnxruntime-gpu.");
    }
    if (asked || (options.device == Device::automatic && has(kCuda))) {
      try {
        session_ = opened(path.c_str(), options, true);
        on_gpu_ = true;
      } catch (const Ort::Exception&) {
        if (asked) throw;
      }
    }
    if (!on_gpu_) session_ = opened(path.c_str(), options, false);
    Ort::AllocatorWithDefaultOptions allocator;
    const auto text = session_.GetModelMetadata().LookupCustomMetadataMapAllocated(kMetadata, allocator);
    if (!text) {
      throw ModelError(path + " is an ONNX file, but no explanation model: it has no card ('" + kMetadata +
                       "' metadata). Make one with 'smoothserve export'.");
    }
    card_ = card_from_json(text.get());
    check_signature();
  } catch (const Ort::Exception& error) {
    throw ModelError(why_not_loaded(path, error.what()));
  }
}

void Session::check_signature() const {
  const auto refuse = [](const std::string& what) {
    throw ModelError("The file contradicts its card: " + what + ". Export it again.");
  };
  const Preprocessing& steps = card_.preprocessing;
  const std::vector<std::int64_t> wanted = {card_.channels, steps.crop_height, steps.crop_width};
  bool image = false, target = false;
  Ort::AllocatorWithDefaultOptions allocator;
  for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
    const std::string name = session_.GetInputNameAllocated(i, allocator).get();
    const auto type = session_.GetInputTypeInfo(i);
    if (type.GetONNXType() != ONNX_TYPE_TENSOR) refuse("its inputs are no tensors");
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    const auto shape = tensor.GetShape();
    if (name == "image") {
      image = tensor.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT && shape.size() == 4 &&
              std::equal(wanted.begin(), wanted.end(), shape.begin() + 1);
    } else if (name == "target") {
      target = tensor.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 && shape.size() == 1;
    }
  }
  if (!image || !target || session_.GetInputCount() != 2) refuse("expected the inputs image and target");
}

Outputs Session::run(std::vector<float>& inputs, std::vector<std::int64_t>& targets) const {
  const Preprocessing& steps = card_.preprocessing;
  const auto count = static_cast<std::int64_t>(targets.size());
  const std::int64_t shape[] = {count, card_.channels, steps.crop_height, steps.crop_width};
  static const char* const names[] = {"image", "target"};
  static const char* const wanted[] = {"logits", "explained_class", "heatmap"};
  try {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const Ort::Value feeds[] = {
        Ort::Value::CreateTensor<float>(memory, inputs.data(), inputs.size(), shape, 4),
        Ort::Value::CreateTensor<std::int64_t>(memory, targets.data(), targets.size(), &count, 1),
    };
    Ort::RunOptions settings;
    settings.SetRunLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    const auto found = session_.Run(settings, names, feeds, 2, wanted, 3);
    const auto check = [&found](std::size_t output, ONNXTensorElementDataType type, std::int64_t size) {
      const auto tensor = found[output].GetTensorTypeAndShapeInfo();
      if (tensor.GetElementType() != type || static_cast<std::int64_t>(tensor.GetElementCount()) != size) {
        throw ModelError("The output " + std::string(wanted[output]) +
                         " has another type or size than the card says.");
      }
      return static_cast<std::size_t>(size);
    };
    const std::int64_t area = std::int64_t{steps.crop_height} * steps.crop_width;
    const auto logits = check(0, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, count * card_.classes);
    const auto classes = check(1, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, count * card_.top_k);
    const auto heatmaps = check(2, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, count * card_.top_k * area);
    const auto* first = found[0].GetTensorData<float>();
    const auto* second = found[1].GetTensorData<std::int64_t>();
    const auto* third = found[2].GetTensorData<float>();
    return {{first, first + logits}, {second, second + classes}, {third, third + heatmaps}};
  } catch (const Ort::Exception& error) {
    throw ModelError(std::string("ONNX Runtime failed: ") + error.what());
  }
}

}  // namespace smoothserve::detail
