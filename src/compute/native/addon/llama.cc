// A Llama that writes: all layers of a pass in one call, over weights that were packed once and keys and values in pages.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "call.h"
#include "gemm.h"
#include "llama.h"
#include "norm.h"
#include "scratch.h"
#include "vector.h"

namespace millrace {

namespace {

// The shape of a model; its numbers come in this order.
struct Shape {
  int64_t layers, width, heads, kvHeads, headSize, feedForward, vocabulary;
  bool qkvBias, oBias, headNorms;

  explicit Shape(const int32_t* x)
      : layers(x[0]), width(x[1]), heads(x[2]), kvHeads(x[3]), headSize(x[4]), feedForward(x[5]), vocabulary(x[6]),
        qkvBias(x[7] != 0), oBias(x[8] != 0), headNorms(x[9] != 0) {
    for (int i = 0; i < 7; i++) if (x[i] < 1) throw std::range_error("a size of the model is less than 1");
    if (heads % kvHeads != 0 || headSize % 2 != 0) throw std::range_error("heads that do not go together");
  }

  int64_t queries() const { return heads * headSize; }
  int64_t keys() const { return kvHeads * headSize; }
  int64_t qkv() const { return queries() + 2 * keys(); }
  // A page: keys and values of kPage tokens in every layer.
  int64_t pageSize() const { return layers * 2 * kPage * keys(); }
};
constexpr int kShape = 10;

// Where the parts of one layer are.
struct Layer {
  float *attentionNorm, *qkv, *qkvBias, *o, *oBias, *qNorm, *kNorm, *feedForwardNorm, *gateUp, *down;
};

// Walks the packed weights in their order. `at` may be null: then only the sizes are of interest.
struct Walk {
  float* at;
  int64_t total = 0;

  float* take(int64_t count) {
    float* result = at == nullptr ? nullptr : at + total;
    total += count;
    return result;
  }

  Layer layer(const Shape& s) {
    Layer l{};
    l.attentionNorm = take(s.width);
    l.qkv = take(packedSize(s.width, s.qkv()));
    if (s.qkvBias) l.qkvBias = take(s.qkv());
    l.o = take(packedSize(s.queries(), s.width));
    if (s.oBias) l.oBias = take(s.width);
    if (s.headNorms) {
      l.qNorm = take(s.headSize);
      l.kNorm = take(s.headSize);
    }
    l.feedForwardNorm = take(s.width);
    l.gateUp = take(packedSize(s.width, 2 * s.feedForward));
    l.down = take(packedSize(s.feedForward, s.width));
    return l;
  }
};

int64_t packedTotal(const Shape& s) {
  Walk walk{nullptr};
  for (int64_t i = 0; i < s.layers; i++) walk.layer(s);
  walk.take(s.width);
  walk.take(packedSize(s.width, s.vocabulary));
  return walk.total;
}

// Packs matrices [out, in], one under the other, for products x w^T.
struct Stacked {
  std::vector<float> rows;
  void add(const float* w, int64_t count) { rows.insert(rows.end(), w, w + count); }
  void packInto(float* to, int64_t in, int64_t out) { pack(transposed(rowMajor(rows.data(), in)), in, out, to); }
};

// The seven products that an adapter may change, in the order of its tensors.
enum Projection { kQ, kK, kV, kO, kGate, kUp, kDown, kProjections };

int64_t inOf(const Shape& s, int p) { return p == kO ? s.queries() : p == kDown ? s.feedForward : s.width; }
int64_t outOf(const Shape& s, int p) {
  return p == kQ ? s.queries() : p == kK || p == kV ? s.keys() : p == kGate || p == kUp ? s.feedForward : s.width;
}

// An adapter: rank, bits of the products that it changes, and its packed matrices, layer after layer.
struct Adapter {
  int64_t rank, targets;
  const float* packed;

  bool has(int p) const { return (targets >> p & 1) != 0; }
  int64_t layerSize(const Shape& s) const {
    int64_t total = 0;
    for (int p = 0; p < kProjections; p++) if (has(p)) total += rank * (inOf(s, p) + outOf(s, p));
    return total;
  }
};

// Rows that follow one another and go through the same adapter.
struct Run {
  int64_t from, rows;
  const Adapter* adapter;
};

// New tokens of one text.
struct Part {
  int64_t rows, start, page, wanted;
};

// What a pass works with.
struct Pass {
  const Shape& s;
  int64_t rows;
  float epsilon;
  const std::vector<Run>& runs;
  const std::vector<Part>& parts;
  const std::vector<Span>& pages;
  const float *cos, *sin;  // [rows, headSize / 2]
};

// y [out] += B (A x) of one row, A [rank, in] and B transposed, [rank, out]. Row by row, so that sums do not depend on how many there are.
__attribute__((noinline)) void addRow(int64_t rank, int64_t in, int64_t out, const float* __restrict x, const float* __restrict a,
                                      float* __restrict y) {
  const float* b = a + rank * in;
  for (int64_t r = 0; r < rank; r++, a += in, b += out) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < in; i++) sum += a[i] * x[i];
#pragma omp simd
    for (int64_t j = 0; j < out; j++) y[j] += sum * b[j];
  }
}

// y (rows `step` apart) += what adapters add to product `p` of x [rows, in] in a layer.
void addAdapters(const Pass& pass, int64_t layer, int p, const float* x, float* y, int64_t step) {
  const Shape& s = pass.s;
  const int64_t in = inOf(s, p), out = outOf(s, p);
  for (const Run& run : pass.runs) {
    if (run.adapter == nullptr || !run.adapter->has(p)) continue;
    const Adapter& adapter = *run.adapter;
    const float* a = adapter.packed + layer * adapter.layerSize(s);
    for (int before = 0; before < p; before++) {
      if (adapter.has(before)) a += adapter.rank * (inOf(s, before) + outOf(s, before));
    }
    for (int64_t i = run.from; i < run.from + run.rows; i++) addRow(adapter.rank, in, out, x + i * in, a, y + i * step);
  }
}

void normRows(const Pass& pass, const float* x, const float* gain, float* y) {
  float trace[2];
  const int64_t n = pass.s.width;
  for (int64_t i = 0; i < pass.rows; i++) normRow<false>(n, pass.epsilon, x + i * n, gain, nullptr, y + i * n, trace);
}

void normInPlace(int64_t n, float epsilon, float* x, const float* gain) {
  float squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < n; j++) squares += x[j] * x[j];
  const float scale = 1 / std::sqrt(squares / static_cast<float>(n) + epsilon);
  for (int64_t j = 0; j < n; j++) x[j] *= scale * gain[j];
}

// Norms heads where the model does, and turns them by the angles of their row.
void turn(const Pass& pass, float* heads, int64_t count, const float* gain, int64_t row) {
  const int64_t size = pass.s.headSize, half = size / 2;
  const float *cos = pass.cos + row * half, *sin = pass.sin + row * half;
  for (int64_t h = 0; h < count; h++, heads += size) {
    if (gain) normInPlace(size, pass.epsilon, heads, gain);
    for (int64_t i = 0; i < half; i++) {
      const float a = heads[i], b = heads[i + half];
      heads[i] = a * cos[i] - b * sin[i];
      heads[i + half] = b * cos[i] + a * sin[i];
    }
  }
}

// Keys or values of a token in a layer: [kvHeads, headSize].
inline float* slot(const Pass& pass, const Part& part, int64_t layer, int64_t position, bool values) {
  const Shape& s = pass.s;
  float* page = pass.pages[static_cast<size_t>(part.page + position / kPage)].data;
  return page + ((layer * 2 + values) * kPage + position % kPage) * s.keys();
}

// One query head over all tokens up to `position`. Sums run over tokens in their order, whatever else is computed.
void attend(const Pass& pass, const Part& part, int64_t layer, int64_t position, int64_t kvHead, const float* query, float* scores, float* out) {
  const int64_t size = pass.s.headSize, offset = kvHead * size;
  const float scale = 1 / std::sqrt(static_cast<float>(size));
  float most = -std::numeric_limits<float>::infinity();
  for (int64_t t = 0; t <= position; t++) {
    const float* key = slot(pass, part, layer, t, false) + offset;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < size; i++) sum += query[i] * key[i];
    scores[t] = sum * scale;
    most = std::max(most, scores[t]);
  }
  for (int64_t t = 0; t <= position; t++) scores[t] = fastExp(scores[t] - most);
  std::fill(out, out + size, 0.0f);
  float total = 0;
  for (int64_t t = 0; t <= position; t++) {
    const float* value = slot(pass, part, layer, t, true) + offset;
    const float weight = scores[t];
    total += weight;
#pragma omp simd
    for (int64_t i = 0; i < size; i++) out[i] += weight * value[i];
  }
  const float share = 1 / total;
  for (int64_t i = 0; i < size; i++) out[i] *= share;
}

// Puts keys and values where they stay, and attends. qkv [rows, qkv], out [rows, queries].
void attention(const Pass& pass, int64_t index, const Layer& layer, float* qkv, float* scores, float* out) {
  const Shape& s = pass.s;
  const int64_t shared = s.heads / s.kvHeads;
  int64_t row = 0;
  for (const Part& part : pass.parts) {
    for (int64_t i = 0; i < part.rows; i++, row++) {
      float* own = qkv + row * s.qkv();
      float *key = own + s.queries(), *value = key + s.keys();
      turn(pass, own, s.heads, layer.qNorm, row);
      turn(pass, key, s.kvHeads, layer.kNorm, row);
      const int64_t position = part.start + i;
      std::memcpy(slot(pass, part, index, position, false), key, static_cast<size_t>(s.keys()) * sizeof(float));
      std::memcpy(slot(pass, part, index, position, true), value, static_cast<size_t>(s.keys()) * sizeof(float));
      for (int64_t h = 0; h < s.heads; h++) {
        attend(pass, part, index, position, h / shared, own + h * s.headSize, scores, out + row * s.queries() + h * s.headSize);
      }
    }
  }
}

// One layer: x [rows, width] in place.
void layerForward(const Pass& pass, int64_t index, const Layer& layer, float* x, float* scores) {
  const Shape& s = pass.s;
  const int64_t rows = pass.rows, wide = 2 * s.feedForward;
  float* normed = scratch(1, rows * std::max(s.width, s.queries()));
  float* qkv = scratch(2, rows * s.qkv());
  float* inner = scratch(3, rows * wide);
  float* gated = scratch(4, rows * s.feedForward);
  Finish biased;
  biased.bias = layer.qkvBias;
  normRows(pass, x, layer.attentionNorm, normed);
  multiply(rowMajor(normed, s.width), layer.qkv, rows, s.qkv(), s.width, qkv, s.qkv(), biased);
  addAdapters(pass, index, kQ, normed, qkv, s.qkv());
  addAdapters(pass, index, kK, normed, qkv + s.queries(), s.qkv());
  addAdapters(pass, index, kV, normed, qkv + s.queries() + s.keys(), s.qkv());
  float* attended = gated;
  if (s.queries() > s.feedForward) attended = inner;
  if (s.queries() > wide) attended = normed;
  attention(pass, index, layer, qkv, scores, attended);
  Finish residual;
  residual.add = true;
  residual.bias = layer.oBias;
  multiply(rowMajor(attended, s.queries()), layer.o, rows, s.width, s.queries(), x, s.width, residual);
  addAdapters(pass, index, kO, attended, x, s.width);
  normRows(pass, x, layer.feedForwardNorm, normed);
  multiply(rowMajor(normed, s.width), layer.gateUp, rows, wide, s.width, inner, wide);
  addAdapters(pass, index, kGate, normed, inner, wide);
  addAdapters(pass, index, kUp, normed, inner + s.feedForward, wide);
  for (int64_t i = 0; i < rows; i++) {
    const float *gate = inner + i * wide, *up = gate + s.feedForward;
    float* to = gated + i * s.feedForward;
    for (int64_t j = 0; j < s.feedForward; j++) to[j] = gate[j] * sigmoid(gate[j]) * up[j];
  }
  Finish add;
  add.add = true;
  multiply(rowMajor(gated, s.feedForward), layer.down, rows, s.width, s.feedForward, x, s.width, add);
  addAdapters(pass, index, kDown, gated, x, s.width);
}

}  // namespace

// shape (Int32Array), out (Float64Array): numbers of packed weights and of a page
void llamaSizes(Call& call) {
  const Shape s(call.array<int32_t>(kShape));
  double* out = call.array<double>(2);
  out[0] = static_cast<double>(packedTotal(s));
  out[1] = static_cast<double>(s.pageSize());
}

// shape, places (Float64Array): byte offsets of attentionNorm, q, k, v, their biases, o, its bias, qNorm, kNorm, feedForwardNorm, gate, up, down of each
// layer, where the model has them, then of norm and head; out (Float32Array): the packed weights
void llamaPack(Call& call) {
  const Shape s(call.array<int32_t>(kShape));
  const double* place = call.array<double>(s.layers * 15 + 2);
  Walk walk{call.array<float>(packedTotal(s))};
  const auto next = [&](int64_t count) { return call.floatsAt(*place++, count); };
  const auto copy = [&](float* to, int64_t count) { if (to) std::copy_n(next(count), count, to); else place++; };
  for (int64_t i = 0; i < s.layers; i++) {
    const Layer layer = walk.layer(s);
    copy(layer.attentionNorm, s.width);
    Stacked qkv, gateUp, o, down;
    for (const int64_t out : {s.queries(), s.keys(), s.keys()}) qkv.add(next(out * s.width), out * s.width);
    qkv.packInto(layer.qkv, s.width, s.qkv());
    copy(layer.qkvBias, s.queries());
    copy(layer.qkvBias ? layer.qkvBias + s.queries() : nullptr, s.keys());
    copy(layer.qkvBias ? layer.qkvBias + s.queries() + s.keys() : nullptr, s.keys());
    pack(transposed(rowMajor(next(s.width * s.queries()), s.queries())), s.queries(), s.width, layer.o);
    copy(layer.oBias, s.width);
    copy(layer.qNorm, s.headSize);
    copy(layer.kNorm, s.headSize);
    copy(layer.feedForwardNorm, s.width);
    for (int part = 0; part < 2; part++) gateUp.add(next(s.feedForward * s.width), s.feedForward * s.width);
    gateUp.packInto(layer.gateUp, s.width, 2 * s.feedForward);
    pack(transposed(rowMajor(next(s.width * s.feedForward), s.feedForward)), s.feedForward, s.width, layer.down);
  }
  copy(walk.take(s.width), s.width);
  pack(transposed(rowMajor(next(s.vocabulary * s.width), s.width)), s.width, s.vocabulary, walk.take(packedSize(s.width, s.vocabulary)));
}

// shape, rank, targets (bits, in the order q, k, v, o, gate, up, down), out (Float64Array): numbers of a packed adapter
void llamaAdapterSize(Call& call) {
  const Shape s(call.array<int32_t>(kShape));
  const Adapter adapter{call.size(), call.size(), nullptr};
  *call.array<double>(1) = static_cast<double>(s.layers * adapter.layerSize(s));
}

// shape, rank, targets, scale, places (Float64Array): byte offsets of A [rank, in] and B [out, rank], layer after layer, out (Float32Array)
void llamaPackAdapter(Call& call) {
  const Shape s(call.array<int32_t>(kShape));
  const int64_t rank = call.size(), targets = call.size();
  const Adapter adapter{rank, targets, nullptr};
  const float scale = static_cast<float>(call.number());
  int64_t count = 0;
  for (int p = 0; p < kProjections; p++) count += adapter.has(p);
  const double* place = call.array<double>(2 * count * s.layers);
  float* to = call.array<float>(s.layers * adapter.layerSize(s));
  for (int64_t i = 0; i < s.layers; i++) {
    for (int p = 0; p < kProjections; p++) {
      if (!adapter.has(p)) continue;
      const int64_t in = inOf(s, p), out = outOf(s, p);
      const float* a = call.floatsAt(*place++, rank * in);
      const float* b = call.floatsAt(*place++, out * rank);
      for (int64_t n = 0; n < rank * in; n++) *to++ = scale * a[n];
      for (int64_t r = 0; r < rank; r++) for (int64_t o = 0; o < out; o++) *to++ = b[o * rank + r];
    }
  }
}

// shape, epsilon, frequencies (Float64Array, headSize / 2), packed weights (Float32Array), embedding (byte offset, [vocabulary, width]), parts,
// parts (Int32Array, 5 each: rows, position of the first, its first page, adapter or -1, for how many of the last rows logits are wanted),
// tokens (Int32Array), pages (list of Float32Array), adapters (list of Float32Array), adapters' ranks and targets (Int32Array, 2 each),
// out (Float32Array, [wanted, vocabulary])
void llama(Call& call) {
  const Shape s(call.array<int32_t>(kShape));
  const float epsilon = static_cast<float>(call.number());
  const int64_t half = s.headSize / 2;
  const double* frequencies = call.array<double>(half);
  Walk walk{call.array<float>(packedTotal(s))};
  const float* embedding = call.floats(times(s.vocabulary, s.width));
  const int64_t count = call.size();
  const int32_t* given = call.array<int32_t>(5 * count);
  int64_t rows = 0, wanted = 0, longest = 0;
  std::vector<Part> parts;
  for (int64_t i = 0; i < count; i++) {
    const Part part{given[5 * i], given[5 * i + 1], given[5 * i + 2], given[5 * i + 4]};
    if (part.rows < 1 || part.start < 0 || part.page < 0 || part.wanted < 0 || part.wanted > part.rows) call.fail("has a part that makes no sense");
    rows += part.rows;
    wanted += part.wanted;
    longest = std::max(longest, part.start + part.rows);
    parts.push_back(part);
  }
  const int32_t* tokens = call.array<int32_t>(rows);
  for (int64_t i = 0; i < rows; i++) if (tokens[i] < 0 || tokens[i] >= s.vocabulary) call.fail("has a token that the model has not");
  const std::vector<Span> pages = call.spans();
  for (const Part& part : parts) {
    if (part.page + (part.start + part.rows + kPage - 1) / kPage > static_cast<int64_t>(pages.size())) call.fail("has too few pages");
  }
  for (const Span& page : pages) if (page.length < s.pageSize()) call.fail("has a page that is too short");
  const std::vector<Span> packedAdapters = call.spans();
  const int32_t* kinds = call.array<int32_t>(2 * static_cast<int64_t>(packedAdapters.size()));
  std::vector<Adapter> adapters;
  for (size_t i = 0; i < packedAdapters.size(); i++) {
    adapters.push_back({kinds[2 * i], kinds[2 * i + 1], packedAdapters[i].data});
    if (adapters[i].rank < 1 || packedAdapters[i].length < s.layers * adapters[i].layerSize(s)) call.fail("has an adapter that is too short");
  }
  float* out = call.array<float>(times(wanted, s.vocabulary));

  std::vector<Run> runs;
  float* x = scratch(0, rows * s.width);
  float* waves = scratch(5, 2 * rows * half);
  float *cos = waves, *sin = waves + rows * half;
  int64_t row = 0;
  for (int64_t i = 0; i < count; i++) {
    const int32_t adapter = given[5 * i + 3];
    if (adapter >= static_cast<int64_t>(adapters.size())) call.fail("names an adapter that is not there");
    const Adapter* own = adapter < 0 ? nullptr : &adapters[static_cast<size_t>(adapter)];
    if (!runs.empty() && runs.back().adapter == own) runs.back().rows += parts[i].rows;
    else runs.push_back({row, parts[i].rows, own});
    for (int64_t j = 0; j < parts[i].rows; j++, row++) {
      std::copy_n(embedding + tokens[row] * s.width, s.width, x + row * s.width);
      for (int64_t f = 0; f < half; f++) {
        const double angle = static_cast<double>(parts[i].start + j) * frequencies[f];
        cos[row * half + f] = static_cast<float>(std::cos(angle));
        sin[row * half + f] = static_cast<float>(std::sin(angle));
      }
    }
  }
  const Pass pass{s, rows, epsilon, runs, parts, pages, cos, sin};
  float* scores = scratch(6, longest);
  for (int64_t i = 0; i < s.layers; i++) layerForward(pass, i, walk.layer(s), x, scores);
  const float* gain = walk.take(s.width);
  const float* head = walk.take(packedSize(s.width, s.vocabulary));
  if (wanted == 0) return;
  float* last = scratch(1, rows * std::max(s.width, s.queries()));
  float trace[2];
  row = 0;
  int64_t at = 0;
  for (const Part& part : parts) {
    row += part.rows;
    for (int64_t i = row - part.wanted; i < row; i++, at++) {
      normRow<false>(s.width, epsilon, x + i * s.width, gain, nullptr, last + at * s.width, trace);
    }
  }
  multiply(rowMajor(last, s.width), head, wanted, s.vocabulary, s.width, out, s.vocabulary);
}

}  // namespace millrace
