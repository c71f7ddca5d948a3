// Value by value, with the broadcasts that are loops over rows.
#include <cmath>

#include "call.h"
#include "vector.h"

namespace millrace {

namespace {

template <typename F>
void each(int64_t n, const float* x, float* y, F f) {
  for (int64_t i = 0; i < n; i++) y[i] = f(x[i]);
}

template <typename F>
void eachGrad(int64_t n, const float* dy, const float* saved, float* dx, F slope) {
  for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * slope(saved[i]);
}

template <typename F>
void pairs(int64_t outer, int64_t inner, int64_t aOuter, int64_t aInner, int64_t bOuter, int64_t bInner, const float* a,
           const float* b, float* y, F f) {
  for (int64_t i = 0; i < outer; i++, a += aOuter, b += bOuter, y += inner) {
    if (aInner && bInner) for (int64_t j = 0; j < inner; j++) y[j] = f(a[j], b[j]);
    else if (aInner) { const float v = *b; for (int64_t j = 0; j < inner; j++) y[j] = f(a[j], v); }
    else if (bInner) { const float v = *a; for (int64_t j = 0; j < inner; j++) y[j] = f(v, b[j]); }
    else { const float v = f(*a, *b); for (int64_t j = 0; j < inner; j++) y[j] = v; }
  }
}

constexpr float kRoot = 0.70710678118654752f;
constexpr float kDensity = 0.39894228040143268f;

}  // namespace

// operation (UNARY in ../addon.ts), n, x, out
void unary(Call& call) {
  const int64_t operation = call.size(), n = call.size();
  const float* x = call.floats(n);
  float* y = call.floats(n);
  switch (operation) {
    case 0: return each(n, x, y, [](float v) { return -v; });
    case 1: return each(n, x, y, [](float v) { return v * v; });
    case 2: return each(n, x, y, [](float v) { return std::sqrt(v); });
    case 3: return each(n, x, y, [](float v) { return 1 / std::sqrt(v); });
    case 4: return each(n, x, y, [](float v) { return fastExp(v); });
    case 5: return each(n, x, y, [](float v) { return std::log(v); });
    case 6: return each(n, x, y, [](float v) { return fastTanh(v); });
    case 7: return each(n, x, y, [](float v) { return sigmoid(v); });
    case 8: return each(n, x, y, [](float v) { return v < 0 ? 0.0f : v; });
    case 9: return each(n, x, y, [](float v) { return 0.5f * v * (1 + fastErf(v * kRoot)); });
    default: throw std::range_error("unknown operation");
  }
}

// operation (those of UNARY with a slope of their own kernel), n, dy, saved (the result for tanh and sigmoid, else the input), dx
void unaryGrad(Call& call) {
  const int64_t operation = call.size(), n = call.size();
  const float* dy = call.floats(n);
  const float* saved = call.floats(n);
  float* dx = call.floats(n);
  switch (operation) {
    case 6: return eachGrad(n, dy, saved, dx, [](float y) { return 1 - y * y; });
    case 7: return eachGrad(n, dy, saved, dx, [](float y) { return y * (1 - y); });
    case 8: return eachGrad(n, dy, saved, dx, [](float x) { return x > 0 ? 1.0f : 0.0f; });
    case 9:
      return eachGrad(n, dy, saved, dx, [](float x) {
        return 0.5f * (1 + fastErf(x * kRoot)) + x * kDensity * fastExp(-0.5f * x * x);
      });
    default: throw std::range_error("unknown operation");
  }
}

// operation (BINARY in ../addon.ts), outer, inner, then for a and b the steps along both (inner: 0 or 1), a, b, out [outer, inner]
void binary(Call& call) {
  const int64_t operation = call.size(), outer = call.size(), inner = call.size();
  const int64_t aOuter = call.size(), aInner = call.size(), bOuter = call.size(), bInner = call.size();
  if (aInner > 1 || bInner > 1) throw std::range_error("binary: the inner step must be 0 or 1");
  const bool empty = outer == 0 || inner == 0;
  const float* a = call.floats(empty ? 0 : times(aOuter, outer - 1) + (aInner ? inner : 1));
  const float* b = call.floats(empty ? 0 : times(bOuter, outer - 1) + (bInner ? inner : 1));
  float* y = call.floats(times(outer, inner));
  if (empty) return;
  const auto run = [&](auto f) { pairs(outer, inner, aOuter, aInner, bOuter, bInner, a, b, y, f); };
  switch (operation) {
    case 0: return run([](float p, float q) { return p + q; });
    case 1: return run([](float p, float q) { return p - q; });
    case 2: return run([](float p, float q) { return p * q; });
    case 3: return run([](float p, float q) { return p / q; });
    default: throw std::range_error("unknown operation");
  }
}

}  // namespace millrace
