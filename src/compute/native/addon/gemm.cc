#include "gemm.h"

#include <algorithm>
#include <utility>

namespace millrace {

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16, kRows = 14;  // 28 of 32 registers hold the tile
#elif defined(__AVX__)
constexpr int kLanes = 8, kRows = 6;  // 12 of 16
#else
constexpr int kLanes = 4, kRows = 6;
#endif
constexpr int kColumns = 2 * kLanes;
// Inner dimension worked on at once: a panel of it stays in the first cache.
constexpr int64_t kDepth = 256;

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float)), aligned(4), may_alias));

inline Vector load(const float* x) { return *reinterpret_cast<const Vector*>(x); }
inline void store(float* x, Vector v) { *reinterpret_cast<Vector*>(x) = v; }

template <int R>
struct Tile {
  Vector left[R], right[R];
};

// Rows of a lie `row` apart, their values side by side. Three rows share a base register: base, base + row, base + 2 row.
template <int R>
__attribute__((always_inline)) inline void alongRows(Tile<R>& t, const float* a, int64_t row, const float* b, int64_t depth) {
  const float* bases[(R + 2) / 3];
  for (int i = 0; i < (R + 2) / 3; i++) bases[i] = a + 3 * i * row;
  for (int64_t p = 0; p < depth; p++, b += kColumns) {
    const Vector b0 = load(b), b1 = load(b + kLanes);
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
      const float v = bases[r / 3][(r % 3) * row + p];
      t.left[r] += v * b0;
      t.right[r] += v * b1;
    }
  }
}

// Rows of a are neighbours in memory, their values `step` apart.
template <int R>
__attribute__((always_inline)) inline void alongColumns(Tile<R>& t, const float* a, int64_t step, const float* b, int64_t depth) {
  for (int64_t p = 0; p < depth; p++, b += kColumns, a += step) {
    const Vector b0 = load(b), b1 = load(b + kLanes);
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
      t.left[r] += a[r] * b0;
      t.right[r] += a[r] * b1;
    }
  }
}

// What a tile needs besides its operands.
struct Place {
  float* c;
  int64_t step, columns;
  bool add, relu;
  const float *bias, *residual;
};

template <int R>
__attribute__((noinline)) void tile(const float* from, int64_t row, int64_t column, const float* b, int64_t depth, const Place& to) {
  Tile<R> t;
#pragma GCC unroll 14
  for (int r = 0; r < R; r++) t.left[r] = t.right[r] = Vector{};
  // The result is often far away: ask for it now, use it when the sums are done.
#pragma GCC unroll 14
  for (int r = 0; r < R; r++) {
    __builtin_prefetch(to.c + r * to.step, 1);
    __builtin_prefetch(to.c + r * to.step + kLanes, 1);
  }
  if (column == 1) alongRows<R>(t, from, row, b, depth);
  else alongColumns<R>(t, from, column, b, depth);
  const Vector zero{};
  float* c = to.c;
  const float* residual = to.residual;
  if (to.columns == kColumns) {
#pragma GCC unroll 14
    for (int r = 0; r < R; r++, c += to.step) {
      Vector x = t.left[r], y = t.right[r];
      if (to.add) x += load(c), y += load(c + kLanes);
      if (to.bias) x += load(to.bias), y += load(to.bias + kLanes);
      if (to.relu) x = x < zero ? zero : x, y = y < zero ? zero : y;
      if (residual) x += load(residual), y += load(residual + kLanes), residual += to.step;
      store(c, x);
      store(c + kLanes, y);
    }
    return;
  }
  for (int r = 0; r < R; r++, c += to.step) {
    float row[kColumns];
    store(row, t.left[r]);
    store(row + kLanes, t.right[r]);
    for (int64_t j = 0; j < to.columns; j++) {
      float v = row[j];
      if (to.add) v += c[j];
      if (to.bias) v += to.bias[j];
      if (to.relu) v = v < 0 ? 0 : v;
      if (residual) v += residual[j];
      c[j] = v;
    }
    if (residual) residual += to.step;
  }
}

using Kernel = void (*)(const float*, int64_t, int64_t, const float*, int64_t, const Place&);

template <int... R>
constexpr Kernel kernelFor(int64_t rows, std::integer_sequence<int, R...>) {
  constexpr Kernel kernels[] = {tile<R + 1>...};
  return kernels[rows - 1];
}

int64_t panels(int64_t n) { return (n + kColumns - 1) / kColumns; }

}  // namespace

int64_t packedSize(int64_t k, int64_t n) { return panels(n) * kColumns * k; }

// Depth block after depth block, in each panel after panel, in each [depth, kColumns] with zeros beyond the last column.
void pack(View b, int64_t k, int64_t n, float* packed) {
  for (int64_t from = 0; from < k; from += kDepth) {
    const int64_t depth = std::min(kDepth, k - from);
    for (int64_t column = 0; column < n; column += kColumns, packed += depth * kColumns) {
      const int64_t columns = std::min<int64_t>(kColumns, n - column);
      if (columns < kColumns) std::fill(packed, packed + depth * kColumns, 0.0f);
      const float* x = b.data + from * b.row + column * b.column;
      if (b.column == 1 && columns == kColumns) {
        for (int64_t p = 0; p < depth; p++) {
          store(packed + p * kColumns, load(x + p * b.row));
          store(packed + p * kColumns + kLanes, load(x + p * b.row + kLanes));
        }
      } else if (b.column == 1) {
        for (int64_t p = 0; p < depth; p++) for (int64_t j = 0; j < columns; j++) packed[p * kColumns + j] = x[p * b.row + j];
      } else {
        for (int64_t j = 0; j < columns; j++) for (int64_t p = 0; p < depth; p++) packed[p * kColumns + j] = x[p * b.row + j * b.column];
      }
    }
  }
}

// Depth block after depth block, in each tile after tile, in each [depth, rows of the tile].
void packLeft(View a, int64_t m, int64_t k, float* packed) {
  for (int64_t from = 0; from < k; from += kDepth) {
    const int64_t depth = std::min(kDepth, k - from);
    for (int64_t i = 0; i < m; i += kRows) {
      const int64_t rows = std::min<int64_t>(kRows, m - i);
      const float* x = a.data + i * a.row + from * a.column;
      if (rows == kRows && a.row == 1) {
        for (int64_t p = 0; p < depth; p++, packed += kRows) for (int r = 0; r < kRows; r++) packed[r] = x[r + p * a.column];
      } else {
        for (int64_t p = 0; p < depth; p++, packed += rows) for (int64_t r = 0; r < rows; r++) packed[r] = x[r * a.row + p * a.column];
      }
    }
  }
}

namespace {

// `tileOf(from, depth, i, rows)` gives the view of a tile of a.
template <typename F>
void product(F tileOf, const float* packed, int64_t m, int64_t n, int64_t k, float* c, int64_t step, const Finish& finish) {
  for (int64_t from = 0; from < k; from += kDepth) {
    const int64_t depth = std::min(kDepth, k - from);
    const bool last = from + kDepth >= k;
    const float* panel = packed + from * panels(n) * kColumns;
    // Each panel stays in the first cache while the rows, which are in the second, go by.
    for (int64_t column = 0; column < n; column += kColumns, panel += depth * kColumns) {
      // One place for all tiles of a panel, changed in place: copying it stalls on what was just written.
      Place to{c + column, step, std::min<int64_t>(kColumns, n - column), finish.add || from > 0, finish.relu && last,
               finish.bias && last ? finish.bias + column : nullptr, finish.residual && last ? finish.residual + column : nullptr};
      for (int64_t i = 0; i < m; i += kRows) {
        const int64_t rows = std::min<int64_t>(kRows, m - i);
        const View x = tileOf(from, depth, i, rows);
        kernelFor(rows, std::make_integer_sequence<int, kRows>{})(x.data, x.row, x.column, panel, depth, to);
        to.c += rows * step;
        if (to.residual) to.residual += rows * step;
      }
    }
  }
}

}  // namespace

void multiply(View a, const float* packed, int64_t m, int64_t n, int64_t k, float* c, int64_t step, const Finish& finish) {
  const auto tileOf = [&](int64_t from, int64_t, int64_t i, int64_t) {
    return View{a.data + i * a.row + from * a.column, a.row, a.column};
  };
  product(tileOf, packed, m, n, k, c, step, finish);
}

void multiplyPacked(const float* a, const float* packed, int64_t m, int64_t n, int64_t k, float* c, int64_t step, const Finish& finish) {
  const auto tileOf = [&](int64_t from, int64_t depth, int64_t i, int64_t rows) {
    return View{a + from * m + i * depth, 1, rows};
  };
  product(tileOf, packed, m, n, k, c, step, finish);
}

}  // namespace millrace
