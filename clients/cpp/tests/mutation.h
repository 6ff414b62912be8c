// Broken files, from good ones.
#pragma once

#include <random>

#include "smoothserve/image.h"

namespace smoothserve::testing {

// The file with some bytes changed, cut, doubled or taken out. The checksums of a PNG mostly fit again, so
// that what lies behind them is reached.
Bytes broken(Bytes file, std::mt19937& random);

}  // namespace smoothserve::testing
