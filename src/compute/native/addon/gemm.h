// Products of row-major matrices for the shapes of small networks: a few hundred columns, any number of rows.
//
// The right operand is packed into panels two vectors wide, once, and may then be used for many products; the left one is read
// in place, and what follows a product happens while the result is in registers. BLAS packs both at every call.
#pragma once
#include <cstdint>

namespace millrace {

// A matrix in place: element (i, j) is at data[i * row + j * column]; one of the steps is 1.
struct View {
  const float* data;
  int64_t row, column;
};

inline View rowMajor(const float* data, int64_t columns) { return {data, columns, 1}; }
inline View transposed(View x) { return {x.data, x.column, x.row}; }

// c = relu?(product + bias) + residual, or c += product; then 0 where `positive` is not above 0.
struct Finish {
  bool add = false;
  bool relu = false;
  const float* bias = nullptr;      // [n]
  const float* residual = nullptr;  // like c
  const float* positive = nullptr;  // like c
};

// Values that packing b [k, n] takes.
int64_t packedSize(int64_t k, int64_t n);

void pack(View b, int64_t k, int64_t n, float* packed);

// Row p of b alone.
void packRow(const float* row, int64_t p, int64_t k, int64_t n, float* packed);

// c [m, n], rows `step` apart, from a [m, k] and the packed b [k, n].
void multiply(View a, const float* packed, int64_t m, int64_t n, int64_t k, float* c, int64_t step, const Finish& finish = {});

// Values that packing a [m, k] takes: worth it for a transposed a with many columns of b, whose rows lie far apart.
inline int64_t packedLeftSize(int64_t m, int64_t k) { return m * k; }

// Column p of a, which is a row of its transpose.
void packLeftRow(const float* column, int64_t p, int64_t m, int64_t k, float* packed);

// The same with both packed.
void multiplyPacked(const float* a, const float* packed, int64_t m, int64_t n, int64_t k, float* c, int64_t step,
                    const Finish& finish = {});

}  // namespace millrace
