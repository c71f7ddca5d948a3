// A bidirectional GRU over many sequences of different lengths; equations and packing in ../../kernels/gru.ts.
#include <algorithm>

#include "call.h"
#include "columns.h"
#include "dense.h"
#include "scratch.h"
#include "vector.h"

namespace millrace {

namespace {

// Checks the order of computation: `steps` rows at each step, never more than before, `rows` in total, tokens in range.
void check(const int32_t* steps, int64_t count, const int32_t* order, int64_t rows) {
  int64_t total = 0;
  for (int64_t t = 0; t < count; t++) {
    if (steps[t] < 0 || (t > 0 && steps[t] > steps[t - 1])) throw std::range_error("gru: steps must fall");
    total += steps[t];
  }
  if (total != rows) throw std::range_error("gru: the steps must make up all rows");
  for (int64_t i = 0; i < 2 * rows; i++) {
    if (order[i] < 0 || order[i] >= rows) throw std::range_error("gru: a token is outside the rows");
  }
}

template <bool keep>
void forwardRow(int64_t H, const float* __restrict x, const float* __restrict g, float* __restrict h, float* __restrict state,
                float* __restrict trace) {
  for (int64_t j = 0; j < H; j++) {
    const float r = gate(x[j] + g[j]);
    const float z = gate(x[H + j] + g[H + j]);
    const float gn = g[2 * H + j];
    const float candidate = fastTanh(x[2 * H + j] + r * gn);
    const float next = candidate + z * (h[j] - candidate);
    h[j] = next;
    state[j] = next;
    if (keep) {
      trace[j] = r;
      trace[H + j] = z;
      trace[2 * H + j] = candidate;
      trace[3 * H + j] = gn;
    }
  }
}

void backwardRow(int64_t H, const float* __restrict dy, const float* __restrict before, const float* __restrict trace,
                 float* __restrict dh, float* __restrict dx, float* __restrict dgate, float* __restrict previous) {
  for (int64_t j = 0; j < H; j++) {
    const float r = trace[j], z = trace[H + j], candidate = trace[2 * H + j];
    const float d = dh[j] + dy[j];
    const float h = before[j];
    const float dn = d * (1 - z) * (1 - candidate * candidate);
    const float dz = d * (h - candidate) * z * (1 - z);
    const float dr = dn * trace[3 * H + j] * r * (1 - r);
    dx[j] = dr;
    dx[H + j] = dz;
    dx[2 * H + j] = dn;
    dgate[j] = dr;
    dgate[H + j] = dz;
    dgate[2 * H + j] = dn * r;
    previous[j] = h;
    dh[j] = d * z;
  }
}

}  // namespace

// rows, H, steps (Int32Array), order [2 rows], x [rows, 6 H], then for both directions weight [H, 3 H] and bias [3 H],
// states [rows, 2 H], whether to keep what a gradient takes, and then trace [2 rows, 4 H]
void gruScan(Call& call) {
  const int64_t rows = call.size(), H = call.size(), count = call.length();
  const int32_t* steps = call.array<int32_t>(count);
  const int32_t* order = call.integers(2 * rows);
  check(steps, count, order, rows);
  const float* x = call.floats(times(rows, 6 * H));
  const float *weight[2], *bias[2];
  for (int direction = 0; direction < 2; direction++) {
    weight[direction] = call.floats(times(H, 3 * H));
    bias[direction] = call.floats(3 * H);
  }
  float* states = call.floats(times(rows, 2 * H));
  float* trace = call.flag() ? call.floats(times(rows, 8 * H)) : nullptr;
  if (count == 0) return;
  float* hidden = scratch(0, steps[0] * H);
  float* g = scratch(1, steps[0] * 3 * H);
  float* matrix = scratch(2, packedSize(H, 3 * H));
  for (int direction = 0; direction < 2; direction++) {
    std::fill(hidden, hidden + steps[0] * H, 0.0f);
    pack(rowMajor(weight[direction], 3 * H), H, 3 * H, matrix);
    Finish finish;
    finish.bias = bias[direction];
    int64_t packed = direction * rows;
    for (int64_t t = 0; t < count; t++) {
      const int64_t n = steps[t];
      // At the first step h is 0.
      if (t > 0) multiply(rowMajor(hidden, H), matrix, n, 3 * H, H, g, 3 * H, finish);
      else for (int64_t i = 0; i < n; i++) std::copy(bias[direction], bias[direction] + 3 * H, g + i * 3 * H);
      for (int64_t i = 0; i < n; i++, packed++) {
        const int64_t token = order[packed];
        const float* in = x + token * 6 * H + direction * 3 * H;
        float* state = states + token * 2 * H + direction * H;
        if (trace) forwardRow<true>(H, in, g + i * 3 * H, hidden + i * H, state, trace + packed * 4 * H);
        else forwardRow<false>(H, in, g + i * 3 * H, hidden + i * H, state, nullptr);
      }
    }
  }
}

// rows, H, steps (Int32Array), order, dy [rows, 2 H], states, trace, both weights, dx [rows, 6 H], then for both directions
// dweight [H, 3 H] and dbias [3 H]
void gruScanGrad(Call& call) {
  const int64_t rows = call.size(), H = call.size(), count = call.length();
  const int32_t* steps = call.array<int32_t>(count);
  const int32_t* order = call.integers(2 * rows);
  check(steps, count, order, rows);
  const float* dy = call.floats(times(rows, 2 * H));
  const float* states = call.floats(times(rows, 2 * H));
  const float* trace = call.floats(times(rows, 8 * H));
  const float* weight[2];
  for (auto& w : weight) w = call.floats(times(H, 3 * H));
  float* dx = call.floats(times(rows, 6 * H));
  float *dweight[2], *dbias[2];
  for (int direction = 0; direction < 2; direction++) {
    dweight[direction] = call.floats(times(H, 3 * H));
    dbias[direction] = call.floats(3 * H);
  }
  const int64_t most = count == 0 ? 0 : steps[0];
  float* dh = scratch(0, most * H);
  float* gates = scratch(1, rows * 3 * H);
  float* previous = scratch(2, rows * H);
  float* zeros = scratch(3, H);
  std::fill(zeros, zeros + H, 0.0f);
  float* matrix = scratch(4, packedSize(3 * H, H));
  Finish add;
  add.add = true;
  for (int direction = 0; direction < 2; direction++) {
    std::fill(dh, dh + most * H, 0.0f);
    pack(transposed(rowMajor(weight[direction], 3 * H)), 3 * H, H, matrix);
    int64_t start = rows;
    for (int64_t t = count - 1; t >= 0; t--) {
      const int64_t n = steps[t];
      start -= n;
      const int32_t* tokens = order + direction * rows + start;
      // The rows of the step before lie right before these.
      const int32_t* tokensBefore = t == 0 ? nullptr : tokens - steps[t - 1];
      for (int64_t i = 0; i < n; i++) {
        const float* before = t == 0 ? zeros : states + tokensBefore[i] * 2 * H + direction * H;
        backwardRow(H, dy + tokens[i] * 2 * H + direction * H, before, trace + (direction * rows + start + i) * 4 * H, dh + i * H,
                    dx + tokens[i] * 6 * H + direction * 3 * H, gates + (start + i) * 3 * H, previous + (start + i) * H);
      }
      if (t > 0) multiply(rowMajor(gates + start * 3 * H, 3 * H), matrix, n, H, 3 * H, dh, H, add);
    }
    weightGrad(rows, H, 3 * H, previous, gates, dweight[direction]);
    columnSums(gates, rows, 3 * H, dbias[direction]);
  }
}

}  // namespace millrace
