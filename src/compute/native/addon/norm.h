// Layer norm (centred, with a bias) or RMS norm (neither) of one row, and its gradient.
#pragma once
#include <cmath>
#include <cstdint>

namespace millrace {

// y = (x - mean) / deviation * gain + bias; trace gets the mean and 1 / deviation. `bias` may be null.
template <bool centred>
inline void normRow(int64_t n, float epsilon, const float* __restrict x, const float* __restrict gain, const float* __restrict bias,
                    float* __restrict y, float* __restrict trace) {
  const float share = 1 / static_cast<float>(n);
  float mean = 0;
  if (centred) {
#pragma omp simd reduction(+ : mean)
    for (int64_t j = 0; j < n; j++) mean += x[j];
    mean *= share;
  }
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < n; j++) squares += (x[j] - mean) * (x[j] - mean);
  const float scale = 1 / std::sqrt(squares * share + epsilon);
  trace[0] = mean;
  trace[1] = scale;
  if (bias) for (int64_t j = 0; j < n; j++) y[j] = (x[j] - mean) * scale * gain[j] + bias[j];
  else for (int64_t j = 0; j < n; j++) y[j] = (x[j] - mean) * scale * gain[j];
}

// dx = (add ? add : 0) + the gradient of the row; adds to dgain and dbias.
template <bool centred>
inline void normRowGrad(int64_t n, const float* __restrict dy, const float* __restrict x, const float* __restrict gain,
                        const float* __restrict trace, const float* add, float* dx, float* __restrict dgain, float* __restrict dbias) {
  const float mean = trace[0], scale = trace[1], share = 1 / static_cast<float>(n);
  float flow = 0, along = 0;
#pragma omp simd reduction(+ : flow, along)
  for (int64_t j = 0; j < n; j++) {
    const float normal = (x[j] - mean) * scale;
    const float g = dy[j] * gain[j];
    dgain[j] += dy[j] * normal;
    dbias[j] += dy[j];
    flow += g;
    along += g * normal;
  }
  flow = centred ? flow * share : 0;
  along *= share;
  if (add) for (int64_t j = 0; j < n; j++) dx[j] = add[j] + scale * (dy[j] * gain[j] - flow - (x[j] - mean) * scale * along);
  else for (int64_t j = 0; j < n; j++) dx[j] = scale * (dy[j] * gain[j] - flow - (x[j] - mean) * scale * along);
}

}  // namespace millrace
