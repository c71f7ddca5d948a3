// Multi-head self-attention within each of many sequences of different lengths; see ../../kernels/attention.ts.
#include <algorithm>
#include <cmath>

#include "blas.h"
#include "call.h"
#include "scratch.h"
#include "vector.h"

namespace millrace {

namespace {

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

void softmaxRows(float* x, int64_t rows, int64_t columns) {
  for (int64_t i = 0; i < rows; i++, x += columns) {
    float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
    for (int64_t j = 0; j < columns; j++) most = x[j] > most ? x[j] : most;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < columns; j++) {
      x[j] = fastExp(x[j] - most);
      sum += x[j];
    }
    const float scale = 1 / sum;
    for (int64_t j = 0; j < columns; j++) x[j] *= scale;
  }
}

}  // namespace

// rows, width, heads, sequences, starts [sequences + 1], squares (values of the probabilities), qkv [rows, 3 width],
// out [rows, width], probabilities
void attention(Call& call) {
  const int64_t rows = call.size(), width = call.size(), heads = call.size(), sequences = call.size();
  if (heads == 0 || width % heads != 0) throw std::range_error("attention: the width must be a multiple of the heads");
  const int32_t* starts = call.integers(sequences + 1);
  const int64_t squares = call.size();
  const Lengths lengths(starts, sequences, rows);
  if (squares != heads * lengths.squares) throw std::range_error("attention: the probabilities have another size");
  const float* qkv = call.floats(times(rows, 3 * width));
  float* out = call.floats(times(rows, width));
  float* p = call.floats(squares);
  const int64_t depth = width / heads, step = 3 * width;
  const float scale = 1 / std::sqrt(static_cast<float>(depth));
  for (int64_t s = 0; s < sequences; s++) {
    const int64_t from = starts[s], length = starts[s + 1] - from;
    for (int64_t head = 0; head < heads; head++, p += length * length) {
      const float* q = qkv + from * step + head * depth;
      gemm(false, true, length, length, depth, scale, q, step, q + width, step, 0, p, std::max<int64_t>(1, length));
      softmaxRows(p, length, length);
      gemm(false, false, length, depth, length, 1, p, std::max<int64_t>(1, length), q + 2 * width, step, 0,
           out + from * width + head * depth, width);
    }
  }
}

// rows, width, heads, sequences, starts, squares, dy [rows, width], qkv, probabilities, dqkv [rows, 3 width]
void attentionGrad(Call& call) {
  const int64_t rows = call.size(), width = call.size(), heads = call.size(), sequences = call.size();
  if (heads == 0 || width % heads != 0) throw std::range_error("attention: the width must be a multiple of the heads");
  const int32_t* starts = call.integers(sequences + 1);
  const int64_t squares = call.size();
  const Lengths lengths(starts, sequences, rows);
  if (squares != heads * lengths.squares) throw std::range_error("attention: the probabilities have another size");
  const float* dy = call.floats(times(rows, width));
  const float* qkv = call.floats(times(rows, 3 * width));
  const float* p = call.floats(squares);
  float* dqkv = call.floats(times(rows, 3 * width));
  if (sequences == 0 || starts[0] > 0 || starts[sequences] < rows) std::fill(dqkv, dqkv + rows * 3 * width, 0.0f);
  const int64_t depth = width / heads, step = 3 * width;
  const float scale = 1 / std::sqrt(static_cast<float>(depth));
  float* flow = scratch(0, lengths.longest * lengths.longest);
  for (int64_t s = 0; s < sequences; s++) {
    const int64_t from = starts[s], length = starts[s + 1] - from, row = std::max<int64_t>(1, length);
    for (int64_t head = 0; head < heads; head++, p += length * length) {
      const float* q = qkv + from * step + head * depth;
      float* dq = dqkv + from * step + head * depth;
      const float* dout = dy + from * width + head * depth;
      gemm(true, false, length, depth, length, 1, p, row, dout, width, 0, dq + 2 * width, step);
      gemm(false, true, length, length, depth, 1, dout, width, q + 2 * width, step, 0, flow, row);
      for (int64_t i = 0; i < length; i++) {
        float* f = flow + i * length;
        const float* weight = p + i * length;
        float mean = 0;
#pragma omp simd reduction(+ : mean)
        for (int64_t j = 0; j < length; j++) mean += weight[j] * f[j];
        for (int64_t j = 0; j < length; j++) f[j] = weight[j] * (f[j] - mean);
      }
      gemm(false, false, length, depth, length, scale, flow, row, q + width, step, 0, dq, step);
      gemm(true, false, length, depth, length, scale, flow, row, q, step, 0, dq + width, step);
    }
  }
}

}  // namespace millrace
