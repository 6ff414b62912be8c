// The card in a file's metadata.
#pragma once

#include <string>

#include "smoothserve/explainer.h"

namespace smoothserve::detail {

// Throws ModelError: no JSON, a format that this library does not know, or values that contradict each other.
Card card_from_json(const std::string& text);

}  // namespace smoothserve::detail
