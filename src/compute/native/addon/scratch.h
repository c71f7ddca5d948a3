// Memory for the length of a call, kept for the next one.
#pragma once
#include <cstdint>
#include <vector>

namespace millrace {

// `slot` tells buffers of one call apart.
inline float* scratch(int slot, int64_t count) {
  static thread_local std::vector<float> buffers[8];
  auto& buffer = buffers[slot];
  if (static_cast<int64_t>(buffer.size()) < count) buffer.resize(static_cast<size_t>(count));
  return buffer.data();
}

}  // namespace millrace
