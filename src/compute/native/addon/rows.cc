// What works on rows: sums, softmax, norms.
#include <algorithm>
#include <cmath>

#include "call.h"
#include "columns.h"
#include "norm.h"
#include "scratch.h"
#include "vector.h"

namespace millrace {

namespace {

float rowSum(const float* x, int64_t n) {
  // Blocks keep the error of long sums small.
  constexpr int64_t block = 4096;
  double total = 0;
  for (int64_t from = 0; from < n; from += block) {
    const int64_t end = std::min(n, from + block);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = from; i < end; i++) sum += x[i];
    total += static_cast<double>(sum);
  }
  return static_cast<float>(total);
}

float rowProduct(const float* x, const float* y, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) sum += x[i] * y[i];
  return sum;
}

float rowMaximum(const float* x, int64_t n) {
  float most = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : most)
  for (int64_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  return most;
}

}  // namespace

// rows, columns, scale, x, out [rows]: scale times the sum of each row
void sumRows(Call& call) {
  const int64_t rows = call.size(), columns = call.size();
  const float scale = static_cast<float>(call.number());
  const float* x = call.floats(times(rows, columns));
  float* out = call.floats(rows);
  for (int64_t i = 0; i < rows; i++) out[i] = scale * rowSum(x + i * columns, columns);
}

// rows, columns, scale, x, out [columns]
void sumColumns(Call& call) {
  const int64_t rows = call.size(), columns = call.size();
  const float scale = static_cast<float>(call.number());
  const float* x = call.floats(times(rows, columns));
  float* out = call.floats(columns);
  columnSums(x, rows, columns, out);
  for (int64_t j = 0; j < columns; j++) out[j] *= scale;
}

// rows, columns, logarithm, x, out
void softmax(Call& call) {
  const int64_t rows = call.size(), columns = call.size();
  const bool logarithm = call.flag();
  const float* x = call.floats(times(rows, columns));
  float* y = call.floats(times(rows, columns));
  for (int64_t i = 0; i < rows; i++, x += columns, y += columns) {
    const float most = rowMaximum(x, columns);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < columns; j++) {
      const float e = fastExp(x[j] - most);
      y[j] = e;
      sum += e;
    }
    if (logarithm) {
      const float shift = most + std::log(sum);
      for (int64_t j = 0; j < columns; j++) y[j] = x[j] - shift;
    } else {
      const float scale = 1 / sum;
      for (int64_t j = 0; j < columns; j++) y[j] *= scale;
    }
  }
}

// rows, columns, logarithm, dy, y (of the forward pass), dx
void softmaxGrad(Call& call) {
  const int64_t rows = call.size(), columns = call.size();
  const bool logarithm = call.flag();
  const float* dy = call.floats(times(rows, columns));
  const float* y = call.floats(times(rows, columns));
  float* dx = call.floats(times(rows, columns));
  for (int64_t i = 0; i < rows; i++, dy += columns, y += columns, dx += columns) {
    if (logarithm) {
      const float sum = rowSum(dy, columns);
      for (int64_t j = 0; j < columns; j++) dx[j] = dy[j] - fastExp(y[j]) * sum;
    } else {
      const float sum = rowProduct(dy, y, columns);
      for (int64_t j = 0; j < columns; j++) dx[j] = y[j] * (dy[j] - sum);
    }
  }
}

// rows, columns, epsilon, centred (1: layer norm, 0: RMS norm), hasBias, x, gain, [bias], out, trace [rows, 2]: mean and 1 / deviation
void layerNorm(Call& call) {
  const int64_t rows = call.size(), columns = call.size();
  const float epsilon = static_cast<float>(call.number());
  const bool centred = call.flag(), hasBias = call.flag();
  const float* x = call.floats(times(rows, columns));
  const float* gain = call.floats(columns);
  const float* bias = hasBias ? call.floats(columns) : nullptr;
  float* y = call.floats(times(rows, columns));
  float* trace = call.floats(times(rows, 2));
  for (int64_t i = 0; i < rows; i++, x += columns, y += columns, trace += 2) {
    if (centred) normRow<true>(columns, epsilon, x, gain, bias, y, trace);
    else normRow<false>(columns, epsilon, x, gain, bias, y, trace);
  }
}

// rows, columns, centred, hasBias, dy, x, gain, trace, dx, dgain, [dbias]
void layerNormGrad(Call& call) {
  const int64_t rows = call.size(), columns = call.size();
  const bool centred = call.flag(), hasBias = call.flag();
  const float* dy = call.floats(times(rows, columns));
  const float* x = call.floats(times(rows, columns));
  const float* gain = call.floats(columns);
  const float* trace = call.floats(times(rows, 2));
  float* dx = call.floats(times(rows, columns));
  float* dgain = call.floats(columns);
  float* dbias = hasBias ? call.floats(columns) : nullptr;
  float* gains = scratch(0, columns);
  float* biases = scratch(1, columns);
  std::fill(gains, gains + columns, 0.0f);
  std::fill(biases, biases + columns, 0.0f);
  for (int64_t i = 0; i < rows; i++, dy += columns, x += columns, dx += columns, trace += 2) {
    if (centred) normRowGrad<true>(columns, dy, x, gain, trace, nullptr, dx, gains, biases);
    else normRowGrad<false>(columns, dy, x, gain, trace, nullptr, dx, gains, biases);
  }
  std::copy(gains, gains + columns, dgain);
  if (dbias) std::copy(biases, biases + columns, dbias);
}

}  // namespace millrace
