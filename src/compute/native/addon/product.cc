// Matrix products, with bias and activation, and the gradients of a dense layer.
#include <algorithm>

#include "activation.h"
#include "blas.h"
#include "call.h"
#include "columns.h"
#include "dense.h"
#include "scratch.h"

namespace millrace {

// With fewer rows packing the right operand costs more than it saves.
constexpr int64_t kFewRows = 32;

void setThreads(int threads) {
#ifndef __APPLE__
  openblas_set_num_threads(threads);
#else
  (void)threads;
#endif
}

// transposeA, transposeB, batches, stepA, stepB (values from one batch to the next; 0: all share one), m, n, k, activation,
// hasBias, a, b, [bias of n], out [batches, m, n]
void product(Call& call) {
  const bool transposeA = call.flag(), transposeB = call.flag();
  const int64_t batches = call.size(), stepA = call.size(), stepB = call.size();
  const int64_t m = call.size(), n = call.size(), k = call.size();
  const Activation activation = activationOf(call.size());
  const bool hasBias = call.flag();
  const int64_t last = batches == 0 ? 0 : batches - 1;
  const float* a = call.floats(batches == 0 ? 0 : times(stepA, last) + times(m, k));
  const float* b = call.floats(batches == 0 ? 0 : times(stepB, last) + times(k, n));
  const float* bias = hasBias ? call.floats(n) : nullptr;
  float* out = call.floats(times(batches, times(m, n)));
  if (batches == 1 && !transposeA && !transposeB && m >= kFewRows) {
    Finish finish;
    finish.bias = bias;
    denseForward(m, k, n, a, b, out, finish);
    activate(activation, out, m * n);
    return;
  }
  for (int64_t batch = 0; batch < batches; batch++, out += m * n) {
    if (bias) for (int64_t i = 0; i < m; i++) std::copy(bias, bias + n, out + i * n);
    gemm(transposeA, transposeB, m, n, k, 1, a + batch * stepA, std::max<int64_t>(1, transposeA ? m : k), b + batch * stepB,
         std::max<int64_t>(1, transposeB ? k : n), bias ? 1 : 0, out, n);
    activate(activation, out, m * n);
  }
}

// m, k, n, activation, wants dx, dw, dbias, dy [m, n], y [m, n], x [m, k], w [k, n], then the wanted ones: dx, dw, dbias
void denseGrad(Call& call) {
  const int64_t m = call.size(), k = call.size(), n = call.size();
  const Activation activation = activationOf(call.size());
  const bool wantX = call.flag(), wantW = call.flag(), wantBias = call.flag();
  const float* dy = call.floats(times(m, n));
  const float* y = call.floats(times(m, n));
  const float* x = call.floats(times(m, k));
  const float* w = call.floats(times(k, n));
  float* dx = wantX ? call.floats(times(m, k)) : nullptr;
  float* dw = wantW ? call.floats(times(k, n)) : nullptr;
  float* dbias = wantBias ? call.floats(n) : nullptr;
  if (activation != Activation::linear) {
    float* through = scratch(0, m * n);
    activationGrad(activation, dy, y, through, m * n);
    dy = through;
  }
  if (dx) denseInputGrad(m, k, n, dy, w, dx, {});
  if (dw) weightGrad(m, k, n, x, dy, dw);
  if (dbias) columnSums(dy, m, n, dbias);
}

}  // namespace millrace
