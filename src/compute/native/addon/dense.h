// Dense layers on packed tiles: what transformer, GRU, head and single layers have in common.
#pragma once
#include <algorithm>
#include <cstdint>

#include "gemm.h"
#include "scratch.h"

namespace millrace {

// y [rows, out] = x [rows, in] w [in, out], and what `finish` says.
inline void denseForward(int64_t rows, int64_t in, int64_t out, const float* x, const float* w, float* y, const Finish& finish) {
  if (rows == 0 || out == 0) return;
  float* packed = scratch(7, packedSize(in, out));
  pack(rowMajor(w, out), in, out, packed);
  multiply(rowMajor(x, in), packed, rows, out, in, y, out, finish);
}

// dx [rows, in] = dy [rows, out] w^T, and what `finish` says.
inline void denseInputGrad(int64_t rows, int64_t in, int64_t out, const float* dy, const float* w, float* dx, const Finish& finish) {
  if (rows == 0 || in == 0) return;
  float* packed = scratch(7, packedSize(out, in));
  pack(transposed(rowMajor(w, out)), out, in, packed);
  multiply(rowMajor(dy, out), packed, rows, in, out, dx, in, finish);
}

// dw [in, out] += x^T dy, and dbias += the column sums of dy unless it is null. `xRow(i)` gives a row of x.
template <typename F>
void addWeightGrad(int64_t rows, int64_t in, int64_t out, F xRow, const float* dy, float* dw, float* dbias) {
  // So many rows that both packed operands stay in the second cache.
  constexpr int64_t kBlock = 256;
  const int64_t most = std::min(rows, kBlock);
  float* right = scratch(7, packedSize(most, out));
  float* left = scratch(6, packedLeftSize(in, most));
  Finish add;
  add.add = true;
  for (int64_t from = 0; from < rows; from += kBlock, dy += kBlock * out) {
    const int64_t count = std::min(kBlock, rows - from);
    for (int64_t i = 0; i < count; i++) {
      const float* d = dy + i * out;
      packRow(d, i, count, out, right);
      if (dbias) for (int64_t j = 0; j < out; j++) dbias[j] += d[j];
      packLeftRow(xRow(from + i), i, in, count, left);
    }
    multiplyPacked(left, right, in, out, count, dw, out, add);
  }
}

// dw = x^T dy.
inline void weightGrad(int64_t rows, int64_t in, int64_t out, const float* x, const float* dy, float* dw) {
  std::fill(dw, dw + in * out, 0.0f);
  addWeightGrad(rows, in, out, [=](int64_t i) { return x + i * in; }, dy, dw, nullptr);
}

}  // namespace millrace
