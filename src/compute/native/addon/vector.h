// Functions of one number that the compiler vectorises when they stand in a plain loop.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace millrace {

// e^x within 2 units in the last place: 2^n e^r with |r| <= ln 2 / 2 and the Taylor polynomial of degree 7.
inline float fastExp(float x) {
  const float bounded = x < -87.0f ? -87.0f : (x > 88.73f ? 88.73f : x);
  const float n = std::nearbyint(bounded * 1.44269504088896341f);
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  // Half the power, doubled after: 2^128 has no float. Converting a NaN is not defined, so it goes in as 0.
  const int32_t bits = (static_cast<int32_t>(n == n ? n : 0.0f) + 126) << 23;
  float power;
  std::memcpy(&power, &bits, sizeof power);
  return x < -87.33f ? 0.0f : p * power * 2.0f;
}

// tanh by its continued fraction at x / 4, doubled twice over one division (see kernels/tanh.ts).
inline float fastTanh(float x) {
  const float bounded = x > 10.0f ? 10.0f : (x < -10.0f ? -10.0f : x);
  const float t = 0.25f * bounded;
  const float s = t * t;
  const float p = t * (135135.0f + s * (17325.0f + s * (378.0f + s)));
  const float q = 135135.0f + s * (62370.0f + s * (3150.0f + 28.0f * s));
  const float a = 2.0f * p * q;
  const float b = p * p + q * q;
  return 2.0f * a * b / (a * a + b * b);
}

inline float sigmoid(float x) { return 1.0f / (1.0f + fastExp(-x)); }

// The steep form is exact enough where only a gate is wanted, and saves an exponential.
inline float gate(float x) { return 0.5f + 0.5f * fastTanh(0.5f * x); }

// erf within 1.5e-7 (Abramowitz and Stegun 7.1.26).
inline float fastErf(float x) {
  const float z = std::fabs(x);
  const float t = 1.0f / (1.0f + 0.3275911f * z);
  const float poly = t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f + t * 1.061405429f))));
  const float y = 1.0f - poly * fastExp(-z * z);
  return x < 0 ? -y : y;
}

}  // namespace millrace
