// What may follow a product, and its derivative. The numbers are those of ACTIVATIONS in ../addon.ts.
#pragma once
#include <cstdint>
#include <stdexcept>

#include "vector.h"

namespace millrace {

enum class Activation : int64_t { linear = 0, relu = 1, tanh = 2, sigmoid = 3 };

inline void activate(Activation activation, float* x, int64_t n) {
  switch (activation) {
    case Activation::relu:
      // Written so that NaN stays.
      for (int64_t i = 0; i < n; i++) x[i] = x[i] < 0 ? 0 : x[i];
      return;
    case Activation::tanh:
      for (int64_t i = 0; i < n; i++) x[i] = fastTanh(x[i]);
      return;
    case Activation::sigmoid:
      for (int64_t i = 0; i < n; i++) x[i] = sigmoid(x[i]);
      return;
    default:
      return;
  }
}

// dx = dy times the derivative, from the activation's result y.
inline void activationGrad(Activation activation, const float* dy, const float* y, float* dx, int64_t n) {
  switch (activation) {
    case Activation::relu:
      for (int64_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dy[i] : 0;
      return;
    case Activation::tanh:
      for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (1 - y[i] * y[i]);
      return;
    case Activation::sigmoid:
      for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * y[i] * (1 - y[i]);
      return;
    default:
      for (int64_t i = 0; i < n; i++) dx[i] = dy[i];
      return;
  }
}

inline Activation activationOf(int64_t code) {
  if (code > 3) throw std::range_error("unknown activation");
  return static_cast<Activation>(code);
}

}  // namespace millrace
