#include "gemm.h"

#include <algorithm>
#include <cstring>
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

// Sums of R rows and V vectors of columns.
template <int R, int V>
struct Tile {
  Vector at[R][V];
};

// Rows of a lie `row` apart, their values side by side. Three rows share a base register: base, base + row, base + 2 row.
template <int R, int V>
__attribute__((always_inline)) inline void alongRows(Tile<R, V>& t, const float* a, int64_t row, const float* b, int64_t depth) {
  const float* bases[(R + 2) / 3];
  for (int i = 0; i < (R + 2) / 3; i++) bases[i] = a + 3 * i * row;
  for (int64_t p = 0; p < depth; p++, b += kColumns) {
    Vector bs[V];
    for (int v = 0; v < V; v++) bs[v] = load(b + v * kLanes);
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) {
      const float x = bases[r / 3][(r % 3) * row + p];
      for (int v = 0; v < V; v++) t.at[r][v] += x * bs[v];
    }
  }
}

// Rows of a are neighbours in memory, their values `step` apart.
template <int R, int V>
__attribute__((always_inline)) inline void alongColumns(Tile<R, V>& t, const float* a, int64_t step, const float* b, int64_t depth) {
  for (int64_t p = 0; p < depth; p++, b += kColumns, a += step) {
    Vector bs[V];
    for (int v = 0; v < V; v++) bs[v] = load(b + v * kLanes);
#pragma GCC unroll 14
    for (int r = 0; r < R; r++) for (int v = 0; v < V; v++) t.at[r][v] += a[r] * bs[v];
  }
}

// What a tile needs besides its operands.
struct Place {
  float* c;
  int64_t step, columns;
  bool add, relu;
  const float *bias, *residual, *positive;
};

template <int R, int V>
__attribute__((noinline)) void tile(const float* from, int64_t row, int64_t column, const float* b, int64_t depth, const Place& to) {
  Tile<R, V> t;
#pragma GCC unroll 14
  for (int r = 0; r < R; r++) for (int v = 0; v < V; v++) t.at[r][v] = Vector{};
  // The result is often far away: ask for it now, use it when the sums are done.
#pragma GCC unroll 14
  for (int r = 0; r < R; r++) for (int v = 0; v < V; v++) __builtin_prefetch(to.c + r * to.step + v * kLanes, 1);
  if (column == 1) alongRows(t, from, row, b, depth);
  else alongColumns(t, from, column, b, depth);
  const Vector zero{};
  float* c = to.c;
  const float *residual = to.residual, *positive = to.positive;
  if (to.columns == V * kLanes) {
#pragma GCC unroll 14
    for (int r = 0; r < R; r++, c += to.step) {
      for (int v = 0; v < V; v++) {
        Vector x = t.at[r][v];
        if (to.add) x += load(c + v * kLanes);
        if (to.bias) x += load(to.bias + v * kLanes);
        if (to.relu) x = x < zero ? zero : x;
        if (residual) x += load(residual + v * kLanes);
        if (positive) x = load(positive + v * kLanes) > zero ? x : zero;
        store(c + v * kLanes, x);
      }
      if (residual) residual += to.step;
      if (positive) positive += to.step;
    }
    return;
  }
  for (int r = 0; r < R; r++, c += to.step) {
    float row[V * kLanes];
    for (int v = 0; v < V; v++) store(row + v * kLanes, t.at[r][v]);
    for (int64_t j = 0; j < to.columns; j++) {
      float v = row[j];
      if (to.add) v += c[j];
      if (to.bias) v += to.bias[j];
      if (to.relu) v = v < 0 ? 0 : v;
      if (residual) v += residual[j];
      if (positive) v = positive[j] > 0 ? v : 0;
      c[j] = v;
    }
    if (residual) residual += to.step;
    if (positive) positive += to.step;
  }
}

using Kernel = void (*)(const float*, int64_t, int64_t, const float*, int64_t, const Place&);

// The kernel for so many rows; where one vector of columns is enough, without the other.
template <int... R>
Kernel kernelFor(int64_t rows, int64_t columns, std::integer_sequence<int, R...>) {
  static constexpr Kernel narrow[] = {tile<R + 1, 1>...}, wide[] = {tile<R + 1, 2>...};
  return (columns <= kLanes ? narrow : wide)[rows - 1];
}

int64_t panels(int64_t n) { return (n + kColumns - 1) / kColumns; }

// Lanes of a butterfly: of two vectors, what goes into the first or second one at a step.
template <int step, int... L>
inline void exchange(Vector& a, Vector& b, std::integer_sequence<int, L...>) {
  const Vector first = __builtin_shufflevector(a, b, (L & step ? kLanes + L - step : L)...);
  b = __builtin_shufflevector(a, b, (L & step ? kLanes + L : L + step)...);
  a = first;
}

template <int step>
__attribute__((always_inline)) inline void exchangeAll(Vector (&x)[kLanes]) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) if (!(i & step)) exchange<step>(x[i], x[i + step], std::make_integer_sequence<int, kLanes>{});
  if constexpr (2 * step < kLanes) exchangeAll<2 * step>(x);
}

// to [kLanes, kColumns] = the transpose of `rows` rows of x, `step` apart, and zeros beyond them.
void transposeBlock(const float* x, int64_t step, int64_t rows, float* to) {
  Vector block[kLanes];
  if (rows >= kLanes) {
    for (int j = 0; j < kLanes; j++) block[j] = load(x + j * step);
  } else {
    for (int j = 0; j < kLanes; j++) block[j] = j < rows ? load(x + j * step) : Vector{};
  }
  exchangeAll<1>(block);
  for (int p = 0; p < kLanes; p++) store(to + p * kColumns, block[p]);
}

}  // namespace

int64_t packedSize(int64_t k, int64_t n) { return panels(n) * kColumns * k; }

// Depth block after depth block, in each panel after panel, in each [depth, kColumns] with zeros beyond the last column.
void packRow(const float* x, int64_t p, int64_t k, int64_t n, float* packed) {
  const int64_t from = p / kDepth * kDepth, depth = std::min(kDepth, k - from);
  float* to = packed + from * panels(n) * kColumns + (p - from) * kColumns;
  int64_t column = 0;
  for (; column + kColumns <= n; column += kColumns, to += depth * kColumns) {
    store(to, load(x + column));
    store(to + kLanes, load(x + column + kLanes));
  }
  if (column == n) return;
  for (int64_t j = 0; j < kColumns; j++) to[j] = column + j < n ? x[column + j] : 0;
}

void pack(View b, int64_t k, int64_t n, float* packed) {
  if (b.column == 1) {
    for (int64_t p = 0; p < k; p++) packRow(b.data + p * b.row, p, k, n, packed);
    return;
  }
  for (int64_t from = 0; from < k; from += kDepth) {
    const int64_t depth = std::min(kDepth, k - from);
    for (int64_t column = 0; column < n; column += kColumns, packed += depth * kColumns) {
      const float* x = b.data + from + column * b.column;
      for (int64_t j = 0; j < kColumns; j += kLanes) {
        const int64_t rows = std::min<int64_t>(kLanes, std::max<int64_t>(0, n - column - j));
        const float* own = x + (rows > 0 ? j * b.column : 0);
        int64_t p = 0;
        for (; p + kLanes <= depth; p += kLanes) transposeBlock(own + p, b.column, rows, packed + p * kColumns + j);
        for (; p < depth; p++) for (int64_t i = 0; i < kLanes; i++) packed[p * kColumns + j + i] = i < rows ? own[p + i * b.column] : 0;
      }
    }
  }
}

// Depth block after depth block, in each tile after tile, in each [depth, rows of the tile].
void packLeftRow(const float* x, int64_t p, int64_t m, int64_t k, float* packed) {
  const int64_t from = p / kDepth * kDepth, depth = std::min(kDepth, k - from);
  float* to = packed + from * m;
  int64_t i = 0;
  for (; i + kRows <= m; i += kRows, to += depth * kRows) std::memcpy(to + (p - from) * kRows, x + i, kRows * sizeof(float));
  const int64_t rest = m - i;
  for (int64_t r = 0; r < rest; r++) to[(p - from) * rest + r] = x[i + r];
}

namespace {

// `tileOf(from, depth, i, rows)` gives the view of a tile of a.
template <typename F>
void product(F tileOf, const float* packed, int64_t m, int64_t n, int64_t k, float* c, int64_t step, const Finish& finish) {
  // At least once: without an inner dimension the sums are 0.
  for (int64_t from = 0; from < std::max<int64_t>(1, k); from += kDepth) {
    const int64_t depth = std::min(kDepth, k - from);
    const bool last = from + kDepth >= k;
    const float* panel = packed + from * panels(n) * kColumns;
    // Each panel stays in the first cache while the rows, which are in the second, go by.
    for (int64_t column = 0; column < n; column += kColumns, panel += depth * kColumns) {
      // One place for all tiles of a panel, changed in place: copying it stalls on what was just written.
      Place to{c + column, step, std::min<int64_t>(kColumns, n - column), finish.add || from > 0, finish.relu && last,
               finish.bias && last ? finish.bias + column : nullptr, finish.residual && last ? finish.residual + column : nullptr,
               finish.positive && last ? finish.positive + column : nullptr};
      for (int64_t i = 0; i < m; i += kRows) {
        const int64_t rows = std::min<int64_t>(kRows, m - i);
        const View x = tileOf(from, depth, i, rows);
        kernelFor(rows, to.columns, std::make_integer_sequence<int, kRows>{})(x.data, x.row, x.column, panel, depth, to);
        to.c += rows * step;
        if (to.residual) to.residual += rows * step;
        if (to.positive) to.positive += rows * step;
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
