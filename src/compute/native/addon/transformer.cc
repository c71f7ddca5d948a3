// A stack of pre-norm transformer layers over many sequences of different lengths, in one kernel each way:
//
//   m = x + attention(norm1(x) Wqkv + bqkv) Wout + bout
//   y = m + relu(norm2(m) Wfeed1 + bfeed1) Wfeed2 + bfeed2
//
// Sequences do not see each other, so a few at a time go through all layers: what lies between two products then stays in the
// second cache, which is worth more than longer products.
#include <algorithm>
#include <vector>

#include "attention.h"
#include "call.h"
#include "dense.h"
#include "gemm.h"
#include "norm.h"
#include "scratch.h"

namespace millrace {

namespace {

constexpr float kEpsilon = 1e-5f;
// Rows that go through the layers together.
constexpr int64_t kRows = 192;

// A layer's parameters, or their gradients.
struct Layer {
  static constexpr int kCount = 12;
  float *gain1, *bias1, *qkv, *qkvBias, *out, *outBias, *gain2, *bias2, *feed1, *feed1Bias, *feed2, *feed2Bias;
};

struct Shape {
  int64_t rows, width, inner, layers, sequences, squares;
  Heads heads;
  const int32_t* starts;

  explicit Shape(Call& call)
      : rows(call.size()), width(call.size()), inner(call.size()), layers(call.size()), sequences(call.size()), heads(width, call.size()) {
    if (width == 0) throw std::range_error("transformer: the width must be above 0");
    starts = call.integers(sequences + 1);
    const Lengths lengths(starts, sequences, rows);
    if (starts[0] != 0 || starts[sequences] != rows) throw std::range_error("transformer: the sequences must make up all rows");
    squares = times(heads.heads, lengths.squares);
    longest = lengths.longest;
  }

  int64_t longest;

  // Sizes of a layer's parameters in their order.
  void sizes(int64_t (&size)[Layer::kCount]) const {
    const int64_t all[] = {width,        width, times(width, 3 * width), 3 * width, times(width, width), width, width, width,
                           times(width, inner), inner, times(inner, width),      width};
    std::copy(all, all + Layer::kCount, size);
  }

  std::vector<Layer> parameters(Call& call) const {
    int64_t size[Layer::kCount];
    sizes(size);
    const double* offsets = call.array<double>(layers * Layer::kCount);
    std::vector<Layer> result(static_cast<size_t>(layers));
    for (auto& layer : result) {
      float** place = &layer.gain1;
      for (int i = 0; i < Layer::kCount; i++) place[i] = call.floatsAt(*offsets++, size[i]);
    }
    return result;
  }

  int64_t traceSize() const { return times(layers, times(rows, 6 * width + inner + 4) + squares); }

  // Most rows of a chunk.
  int64_t most() const { return std::max(kRows, longest); }
};

// What the forward pass keeps of a layer: each of these has a row for every row of x.
struct Trace {
  float *x, *norm1, *qkv, *mixed, *middle, *norm2, *hidden, *probabilities;

  static int64_t columns(const Shape& s) { return 6 * s.width + s.inner + 4; }

  static Trace ofLayer(const Shape& s, float* data, int64_t layer) {
    return Trace(s, data + layer * (s.rows * columns(s) + s.squares), s.rows);
  }

  // Room for `rows` rows of one layer.
  Trace(const Shape& s, float* at, int64_t rows) {
    const auto take = [&](int64_t columns) {
      float* start = at;
      at += rows * columns;
      return start;
    };
    x = take(s.width);
    norm1 = take(2);
    qkv = take(3 * s.width);
    mixed = take(s.width);
    middle = take(s.width);
    norm2 = take(2);
    hidden = take(s.inner);
    probabilities = at;
  }
};

// Sequences [first, next) make up a chunk; `square` counts the squared lengths before it.
struct Chunk {
  int64_t first = 0, next = 0, square = 0;

  bool advance(const Shape& s) {
    for (; first < next; first++) square += length(s, first) * length(s, first);
    if (next == s.sequences) return false;
    do next++;
    while (next < s.sequences && s.starts[next + 1] - s.starts[first] <= kRows);
    return true;
  }
  static int64_t length(const Shape& s, int64_t sequence) { return s.starts[sequence + 1] - s.starts[sequence]; }
};

// A layer's four matrices, packed: as they are for the forward pass, transposed for the backward one.
struct Packed {
  std::vector<float> values;
  const float *qkv, *out, *feed1, *feed2;

  Packed(const Shape& s, const Layer& p, bool transpose) {
    const int64_t W = s.width, F = s.inner;
    const int64_t inputs[] = {W, W, W, F}, outputs[] = {3 * W, W, F, W};
    const float* const matrices[] = {p.qkv, p.out, p.feed1, p.feed2};
    const float** const places[] = {&qkv, &out, &feed1, &feed2};
    int64_t size[4], total = 0;
    for (int i = 0; i < 4; i++) {
      size[i] = transpose ? packedSize(outputs[i], inputs[i]) : packedSize(inputs[i], outputs[i]);
      total += size[i];
    }
    values.resize(static_cast<size_t>(total));
    float* at = values.data();
    for (int i = 0; i < 4; i++, at += size[i - 1]) {
      const View w = rowMajor(matrices[i], outputs[i]);
      if (transpose) pack(transposed(w), outputs[i], inputs[i], at);
      else pack(w, inputs[i], outputs[i], at);
      *places[i] = at;
    }
  }
};

std::vector<Packed> packAll(const Shape& s, const std::vector<Layer>& layers, bool transpose) {
  std::vector<Packed> packed;
  packed.reserve(layers.size());
  for (const auto& layer : layers) packed.emplace_back(s, layer, transpose);
  return packed;
}

// dw += x^T dy, dbias += column sums of dy, dx = dy w^T; `xRow(i)` gives a row of x.
template <typename F>
void layerGrad(int64_t rows, int64_t in, int64_t out, const float* dy, F xRow, const float* transposedW, float* dx, float* dw, float* dbias,
               const Finish& finish = {}) {
  addWeightGrad(rows, in, out, xRow, dy, dw, dbias);
  multiply(rowMajor(dy, out), transposedW, rows, in, out, dx, in, finish);
}

}  // namespace

// rows, width, inner, layers, sequences, heads, starts, x [rows, width], offsets of the layers' parameters (Float64Array,
// 12 a layer), y [rows, width], size of the trace, trace; a size of 0 keeps nothing for a gradient
void transformer(Call& call) {
  const Shape s(call);
  const float* x = call.floats(times(s.rows, s.width));
  const auto layers = s.parameters(call);
  float* y = call.floats(times(s.rows, s.width));
  const int64_t kept = call.size();
  if (kept != 0 && kept != s.traceSize()) throw std::range_error("transformer: the trace has another size");
  float* trace = call.floats(kept);
  const bool keep = kept > 0;
  const int64_t W = s.width, F = s.inner, most = s.most();
  // What is not kept is written to the same place again and again, which stays near.
  if (!keep) trace = scratch(1, most * (Trace::columns(s) + s.heads.heads * s.longest));
  const auto packed = packAll(s, layers, false);
  float* normal = scratch(0, most * W);
  for (Chunk chunk; chunk.advance(s);) {
    const int64_t start = s.starts[chunk.first], rows = s.starts[chunk.next] - start, from = keep ? start : 0;
    const float* input = x + start * W;
    for (int64_t l = 0; l < s.layers; l++) {
      const Layer& p = layers[static_cast<size_t>(l)];
      const Packed& w = packed[static_cast<size_t>(l)];
      const auto at = [&](int64_t layer) { return keep ? Trace::ofLayer(s, trace, layer) : Trace(s, trace, most); };
      const Trace t = at(l);
      const float* own = input;
      for (int64_t i = 0; i < rows; i++) normRow<true>(W, kEpsilon, own + i * W, p.gain1, p.bias1, normal + i * W, t.norm1 + 2 * (from + i));
      float* qkv = t.qkv + from * 3 * W;
      multiply(rowMajor(normal, W), w.qkv, rows, 3 * W, W, qkv, 3 * W, {false, false, p.qkvBias, nullptr});
      float* mixed = t.mixed + from * W;
      float* probabilities = t.probabilities + (keep ? s.heads.heads * chunk.square : 0);
      for (int64_t q = chunk.first; q < chunk.next; q++) {
        const int64_t length = Chunk::length(s, q), row = s.starts[q] - start;
        attend(s.heads, length, qkv + row * 3 * W, mixed + row * W, probabilities);
        probabilities += s.heads.heads * length * length;
      }
      float* middle = t.middle + from * W;
      multiply(rowMajor(mixed, W), w.out, rows, W, W, middle, W, {false, false, p.outBias, own});
      for (int64_t i = 0; i < rows; i++) normRow<true>(W, kEpsilon, middle + i * W, p.gain2, p.bias2, normal + i * W, t.norm2 + 2 * (from + i));
      float* hidden = t.hidden + from * F;
      // What goes on to the next layer is kept as its input; nobody needs a layer's own input by now.
      float* output = l + 1 < s.layers ? at(l + 1).x + from * W : y + start * W;
      multiply(rowMajor(normal, W), w.feed1, rows, F, W, hidden, F, {false, true, p.feed1Bias, nullptr});
      multiply(rowMajor(hidden, F), w.feed2, rows, W, F, output, W, {false, false, p.feed2Bias, middle});
      input = output;
    }
    if (s.layers == 0) std::copy(input, input + rows * W, y + start * W);
  }
}

// rows, width, inner, layers, sequences, heads, starts, dy, x, offsets of the parameters, size of the trace, trace, dx, offsets
// of the parameters' gradients
void transformerGrad(Call& call) {
  const Shape s(call);
  const float* dy = call.floats(times(s.rows, s.width));
  const float* first = call.floats(times(s.rows, s.width));
  const auto layers = s.parameters(call);
  if (call.size() != s.traceSize()) throw std::range_error("transformer: the trace has another size");
  float* trace = call.floats(s.traceSize());
  float* dx = call.floats(times(s.rows, s.width));
  const auto gradients = s.parameters(call);
  int64_t size[Layer::kCount];
  s.sizes(size);
  for (const auto& gradient : gradients) {
    float* const* place = &gradient.gain1;
    for (int i = 0; i < Layer::kCount; i++) std::fill(place[i], place[i] + size[i], 0.0f);
  }
  const int64_t W = s.width, F = s.inner, most = s.most();
  const auto packed = packAll(s, layers, true);
  float* normal = scratch(0, W);
  float* dNormal = scratch(1, most * W);
  float* dHidden = scratch(2, most * F);
  float* dQkv = scratch(3, most * 3 * W);
  float* flow = scratch(4, s.longest * s.longest);
  for (Chunk chunk; chunk.advance(s);) {
    const int64_t from = s.starts[chunk.first], rows = s.starts[chunk.next] - from;
    float* d = dx + from * W;
    std::copy(dy + from * W, dy + (from + rows) * W, d);
    for (int64_t l = s.layers - 1; l >= 0; l--) {
      const Layer& p = layers[static_cast<size_t>(l)];
      const Layer& g = gradients[static_cast<size_t>(l)];
      const Packed& w = packed[static_cast<size_t>(l)];
      const Trace t = Trace::ofLayer(s, trace, l);
      const float* hidden = t.hidden + from * F;
      Finish relu;
      relu.positive = hidden;
      layerGrad(rows, F, W, d, [&](int64_t i) { return hidden + i * F; }, w.feed2, dHidden, g.feed2, g.feed2Bias, relu);
      const float* middle = t.middle + from * W;
      // A row of a norm's result again, from what the forward pass kept.
      const auto again = [&](const float* x, const float* norm, const float* gain, const float* bias) {
        return [=](int64_t i) {
          const float mean = norm[2 * i], scale = norm[2 * i + 1];
          const float* row = x + i * W;
          for (int64_t j = 0; j < W; j++) normal[j] = (row[j] - mean) * scale * gain[j] + bias[j];
          return normal;
        };
      };
      const float* norm2 = t.norm2 + 2 * from;
      layerGrad(rows, W, F, dHidden, again(middle, norm2, p.gain2, p.bias2), w.feed1, dNormal, g.feed1, g.feed1Bias);
      for (int64_t i = 0; i < rows; i++) {
        normRowGrad<true>(W, dNormal + i * W, middle + i * W, p.gain2, norm2 + 2 * i, d + i * W, d + i * W, g.gain2, g.bias2);
      }
      float* dMixed = dNormal;
      const float* mixed = t.mixed + from * W;
      layerGrad(rows, W, W, d, [&](int64_t i) { return mixed + i * W; }, w.out, dMixed, g.out, g.outBias);
      const float* probabilities = t.probabilities + s.heads.heads * chunk.square;
      for (int64_t q = chunk.first; q < chunk.next; q++) {
        const int64_t length = Chunk::length(s, q), at = s.starts[q] - from;
        attendGrad(s.heads, length, dMixed + at * W, t.qkv + s.starts[q] * 3 * W, probabilities, dQkv + at * 3 * W, flow);
        probabilities += s.heads.heads * length * length;
      }
      const float* x = (l == 0 ? first : t.x) + from * W;
      const float* norm1 = t.norm1 + 2 * from;
      layerGrad(rows, W, 3 * W, dQkv, again(x, norm1, p.gain1, p.bias1), w.qkv, dNormal, g.qkv, g.qkvBias);
      for (int64_t i = 0; i < rows; i++) {
        normRowGrad<true>(W, dNormal + i * W, x + i * W, p.gain1, norm1 + 2 * i, d + i * W, d + i * W, g.gain1, g.bias1);
      }
    }
  }
}

}  // namespace millrace
