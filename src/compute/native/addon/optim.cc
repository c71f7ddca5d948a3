// The optimiser's step and the gradient's sum, on arrays of JavaScript's own. In float64 and in the order of the TypeScript
// versions (src/algo/optim), so that both give the same bits.
#include <cmath>

#include "call.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#elif defined(__clang__)
#pragma clang fp contract(off)
#endif

namespace millrace {

// parameters, gradient, m, v (Float32Array of one length), learning rate, beta1, beta2, epsilon, weight decay, and the two bias
// corrections 1 - beta^step, which JavaScript's own power gives
void adamW(Call& call) {
  const int64_t n = call.length();
  float* parameters = call.array<float>(n);
  const float* gradient = call.array<float>(n);
  float* m = call.array<float>(n);
  float* v = call.array<float>(n);
  const double rate = call.number(), beta1 = call.number(), beta2 = call.number();
  const double epsilon = call.number(), decay = call.number();
  const double correction1 = call.number(), correction2 = call.number();
  const double scale1 = 1 / correction1, scale2 = 1 / correction2;
  for (int64_t i = 0; i < n; i++) {
    const double g = gradient[i];
    const double mean = beta1 * m[i] + (1 - beta1) * g;
    const double square = beta2 * v[i] + (1 - beta2) * g * g;
    m[i] = static_cast<float>(mean);
    v[i] = static_cast<float>(square);
    const double update = (mean * scale1) / (std::sqrt(square * scale2) + epsilon);
    parameters[i] = static_cast<float>(parameters[i] - rate * (update + decay * parameters[i]));
  }
}

// n, x (in the heap), start, sums (a Float64Array): sums[start + i] += x[i]
void accumulate(Call& call) {
  const int64_t n = call.size();
  const float* x = call.floats(n);
  const int64_t start = call.size();
  const int64_t length = call.length();
  if (start > length || n > length - start) throw std::range_error("accumulate: reaches beyond the sums");
  double* sums = call.array<double>(length) + start;
  for (int64_t i = 0; i < n; i++) sums[i] += x[i];
}

// n, x (in the heap), factor, start, into (a Float32Array): into[start + i] = factor x[i]
void copyScaled(Call& call) {
  const int64_t n = call.size();
  const float* x = call.floats(n);
  const double factor = call.number();
  const int64_t start = call.size();
  const int64_t length = call.length();
  if (start > length || n > length - start) throw std::range_error("copyScaled: reaches beyond the array");
  float* into = call.array<float>(length) + start;
  for (int64_t i = 0; i < n; i++) into[i] = static_cast<float>(factor * x[i]);
}

}  // namespace millrace
