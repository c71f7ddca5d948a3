// Multi-head self-attention within one sequence, and what several sequences need.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include "gemm.h"
#include "scratch.h"
#include "vector.h"

namespace millrace {

// Throws unless `starts` [sequences + 1] rises within [0, rows]; returns the sum of the squared lengths and the longest one.
struct Lengths {
  int64_t squares = 0, longest = 0;
  Lengths(const int32_t* starts, int64_t sequences, int64_t rows) {
    for (int64_t s = 0; s < sequences; s++) {
      const int64_t length = static_cast<int64_t>(starts[s + 1]) - starts[s];
      if (starts[s] < 0 || length < 0 || starts[s + 1] > rows) throw std::range_error("attention: starts must rise within the rows");
      squares += length * length;
      longest = std::max(longest, length);
    }
  }
};

// Softmax of scale x, row by row, in place.
inline void softmaxRows(float* x, int64_t rows, int64_t columns, float scale) {
  for (int64_t i = 0; i < rows; i++, x += columns) {
    float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
    for (int64_t j = 0; j < columns; j++) most = x[j] > most ? x[j] : most;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < columns; j++) {
      x[j] = fastExp(scale * (x[j] - most));
      sum += x[j];
    }
    const float share = 1 / sum;
    for (int64_t j = 0; j < columns; j++) x[j] *= share;
  }
}

// Widths of what attention works on: queries, keys and values lie side by side in rows of 3 width.
struct Heads {
  int64_t width, heads, depth, step;
  float scale;
  Heads(int64_t width, int64_t heads) : width(width), heads(heads), depth(heads == 0 ? 0 : width / heads), step(3 * width) {
    if (heads == 0 || width % heads != 0) throw std::range_error("attention: the width must be a multiple of the heads");
    scale = 1 / std::sqrt(static_cast<float>(depth));
  }
};

// out [length, width] and the probabilities p [heads, length, length] of one sequence's qkv.
inline void attend(const Heads& h, int64_t length, const float* qkv, float* out, float* p) {
  float* packed = scratch(7, std::max(packedSize(h.depth, length), packedSize(length, h.depth)));
  for (int64_t head = 0; head < h.heads; head++, p += length * length) {
    const View q{qkv + head * h.depth, h.step, 1}, k{q.data + h.width, h.step, 1}, v{q.data + 2 * h.width, h.step, 1};
    pack(transposed(k), h.depth, length, packed);
    multiply(q, packed, length, length, h.depth, p, length);
    softmaxRows(p, length, length, h.scale);
    pack(v, length, h.depth, packed);
    multiply(rowMajor(p, length), packed, length, h.depth, length, out + head * h.depth, h.width);
  }
}

// dqkv of one sequence; `flow` has room for length x length values.
inline void attendGrad(const Heads& h, int64_t length, const float* dy, const float* qkv, const float* p, float* dqkv, float* flow) {
  float* packed = scratch(7, std::max(packedSize(h.depth, length), packedSize(length, h.depth)));
  for (int64_t head = 0; head < h.heads; head++, p += length * length) {
    const View q{qkv + head * h.depth, h.step, 1}, k{q.data + h.width, h.step, 1}, v{q.data + 2 * h.width, h.step, 1};
    const View dout{dy + head * h.depth, h.width, 1}, weights = rowMajor(p, length), flows = rowMajor(flow, length);
    float* dq = dqkv + head * h.depth;
    pack(dout, length, h.depth, packed);
    multiply(transposed(weights), packed, length, h.depth, length, dq + 2 * h.width, h.step);
    pack(transposed(v), h.depth, length, packed);
    multiply(dout, packed, length, length, h.depth, flow, length);
    for (int64_t i = 0; i < length; i++) {
      float* f = flow + i * length;
      const float* weight = p + i * length;
      float mean = 0;
#pragma omp simd reduction(+ : mean)
      for (int64_t j = 0; j < length; j++) mean += weight[j] * f[j];
      for (int64_t j = 0; j < length; j++) f[j] = h.scale * weight[j] * (f[j] - mean);
    }
    pack(k, length, h.depth, packed);
    multiply(flows, packed, length, h.depth, length, dq, h.step);
    pack(q, length, h.depth, packed);
    multiply(transposed(flows), packed, length, h.depth, length, dq + h.width, h.step);
  }
}

}  // namespace millrace
