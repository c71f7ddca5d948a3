// The planner's head in one kernel each way: from text vectors to a score for every open action of many observations.
// The equations stand in src/policy/planner/network.ts, the arrays in src/policy/planner/flatten.ts.
#include <algorithm>

#include "activation.h"
#include "call.h"
#include "columns.h"
#include "dense.h"
#include "scratch.h"

namespace millrace {

namespace {

// A dense layer; the bias may be missing.
struct Dense {
  int64_t in = 0, out = 0;
  float *w = nullptr, *bias = nullptr;

  // y = activation(x w + bias)
  void forward(int64_t rows, const float* x, float* y, Activation activation = Activation::linear) const {
    Finish finish;
    finish.bias = bias;
    denseForward(rows, in, out, x, w, y, finish);
    activate(activation, y, rows * out);
  }

  // Sets the gradients of w and bias in `gradient`, and dx where wanted: `add` adds to what dx has.
  void backward(int64_t rows, const float* dy, const float* x, const Dense& gradient, float* dx, bool add = false) const {
    weightGrad(rows, in, out, x, dy, gradient.w);
    if (bias) columnSums(dy, rows, out, gradient.bias);
    Finish finish;
    finish.add = add;
    if (dx) denseInputGrad(rows, in, out, dy, w, dx, finish);
  }
};

// Tuples of one arity.
struct Tuples {
  int64_t count = 0, tools = 0;
  const int32_t* observation = nullptr;
  const int32_t* args[2] = {nullptr, nullptr};
};

// One set of parameters, or of their gradients.
struct Parameters {
  Dense item, context, arityContext[3], arityItem[3][2], arityTools[3], hidden1, hidden2, tools, linear;
};

void checkIndices(const int32_t* index, int64_t count, int64_t limit, const char* what) {
  for (int64_t i = 0; i < count; i++) {
    if (index[i] < 0 || index[i] >= limit) throw std::range_error(std::string("planner: ") + what + " is out of range");
  }
}

struct Batch {
  int64_t texts, width, observations, items, hidden, stateFlags, itemFlags, actionFlags, rows, actions, toolCount;
  Tuples tuples[3];
  const int32_t *observationText, *itemText, *itemObservation, *actionScore, *actionFeature;
  const float *state, *flags, *share, *rowFlags;

  explicit Batch(Call& call)
      : texts(call.size()), width(call.size()), observations(call.size()), items(call.size()), hidden(call.size()),
        stateFlags(call.size()), itemFlags(call.size()), actionFlags(call.size()), rows(call.size()), actions(call.size()),
        toolCount(call.size()) {
    int64_t scores = 0;
    for (int k = 0; k < 3; k++) {
      tuples[k].count = call.size();
      tuples[k].tools = call.size();
      scores += times(tuples[k].count, tuples[k].tools);
    }
    observationText = call.array<int32_t>(observations);
    itemText = call.array<int32_t>(items);
    itemObservation = call.array<int32_t>(items);
    actionScore = call.array<int32_t>(actions);
    actionFeature = call.array<int32_t>(actionFlags > 0 ? actions : 0);
    state = call.array<float>(times(observations, stateFlags));
    flags = call.array<float>(times(items, itemFlags));
    share = call.array<float>(observations);
    rowFlags = call.array<float>(times(rows, actionFlags));
    checkIndices(observationText, observations, texts, "a text");
    checkIndices(itemText, items, texts, "a text");
    checkIndices(itemObservation, items, observations, "an observation");
    checkIndices(actionScore, actions, scores, "a score");
    if (actionFlags > 0) checkIndices(actionFeature, actions, times(rows, toolCount), "a feature");
    for (int k = 0; k < 3; k++) {
      tuples[k].observation = call.array<int32_t>(tuples[k].count);
      checkIndices(tuples[k].observation, tuples[k].count, observations, "an observation");
      for (int j = 0; j < k; j++) {
        tuples[k].args[j] = call.array<int32_t>(tuples[k].count);
        checkIndices(tuples[k].args[j], tuples[k].count, items, "an item");
      }
    }
  }

  int64_t itemInput() const { return 2 * width + itemFlags; }
  int64_t contextInput() const { return width + hidden + stateFlags; }

  Parameters parameters(Call& call) const {
    Parameters p;
    const int64_t count = call.length();
    const double* offset = call.array<double>(count);
    const double* end = offset + count;
    const auto dense = [&](Dense& layer, int64_t in, int64_t out, bool biased = true) {
      if (end - offset < (biased ? 2 : 1)) throw std::range_error("planner: parameters are missing");
      layer.in = in;
      layer.out = out;
      layer.w = call.floatsAt(*offset++, times(in, out));
      layer.bias = biased ? call.floatsAt(*offset++, out) : nullptr;
    };
    dense(p.item, itemInput(), hidden);
    dense(p.context, contextInput(), hidden);
    for (int k = 0; k < 3; k++) {
      if (tuples[k].tools == 0) continue;
      dense(p.arityContext[k], hidden, hidden);
      for (int j = 0; j < k; j++) dense(p.arityItem[k][j], hidden, hidden, false);
      dense(p.arityTools[k], hidden, tuples[k].tools);
    }
    if (actionFlags > 0) {
      dense(p.hidden1, actionFlags, hidden);
      dense(p.hidden2, hidden, hidden);
      dense(p.tools, hidden, toolCount, false);
      dense(p.linear, actionFlags, toolCount, false);
    }
    if (offset != end) throw std::range_error("planner: too many parameters");
    return p;
  }

  int64_t tupleCount() const { return tuples[0].count + tuples[1].count + tuples[2].count; }

  // Hidden values that the gradient needs: items, contexts, tuples, and both layers over action flags.
  int64_t traceSize() const {
    return times(items + observations + tupleCount() + (actionFlags > 0 ? 2 * rows : 0), hidden);
  }
};

struct Trace {
  float *items, *context, *tuples[3], *hidden1, *hidden2;
  Trace(const Batch& b, float* at) {
    items = at;
    context = items + b.items * b.hidden;
    tuples[0] = context + b.observations * b.hidden;
    tuples[1] = tuples[0] + b.tuples[0].count * b.hidden;
    tuples[2] = tuples[1] + b.tuples[1].count * b.hidden;
    hidden1 = tuples[2] + b.tuples[2].count * b.hidden;
    hidden2 = hidden1 + b.rows * b.hidden;
  }
};

float* row(float* to, const float* from, int64_t count) { return std::copy(from, from + count, to); }

void add(float* to, const float* from, int64_t count) {
  for (int64_t j = 0; j < count; j++) to[j] += from[j];
}

void itemInputs(const Batch& b, const float* pooled, const float* at, float* x) {
  for (int64_t i = 0; i < b.items; i++) {
    x = row(x, pooled + b.itemText[i] * b.width, b.width);
    x = row(x, at + i * b.width, b.width);
    x = row(x, b.flags + i * b.itemFlags, b.itemFlags);
  }
}

void contextInputs(const Batch& b, const float* pooled, const float* items, float* x) {
  const int64_t step = b.contextInput();
  for (int64_t o = 0; o < b.observations; o++) {
    float* at = row(x + o * step, pooled + b.observationText[o] * b.width, b.width);
    std::fill(at, at + b.hidden, 0.0f);
    row(at + b.hidden, b.state + o * b.stateFlags, b.stateFlags);
  }
  for (int64_t i = 0; i < b.items; i++) {
    const int64_t o = b.itemObservation[i];
    const float share = b.share[o];
    float* mean = x + o * step + b.width;
    for (int64_t j = 0; j < b.hidden; j++) mean[j] += share * items[i * b.hidden + j];
  }
}

// Zeros where a parameter takes no part in the batch.
void clear(const Dense& gradient) {
  std::fill(gradient.w, gradient.w + gradient.in * gradient.out, 0.0f);
  if (gradient.bias) std::fill(gradient.bias, gradient.bias + gradient.out, 0.0f);
}

}  // namespace

// The batch (counts, then its arrays; see Batch), offsets of the parameters (Float64Array), pooled [texts, width],
// at [items, width], scores [actions], size of the trace, trace
void planner(Call& call) {
  const Batch b(call);
  const Parameters p = b.parameters(call);
  const float* pooled = call.floats(times(b.texts, b.width));
  const float* at = call.floats(times(b.items, b.width));
  float* scores = call.floats(b.actions);
  if (call.size() != b.traceSize()) throw std::range_error("planner: the trace has another size");
  const Trace t(b, call.floats(b.traceSize()));
  const int64_t H = b.hidden;

  float* x = scratch(0, std::max(b.items * b.itemInput(), b.observations * b.contextInput()));
  itemInputs(b, pooled, at, x);
  p.item.forward(b.items, x, t.items, Activation::tanh);
  contextInputs(b, pooled, t.items, x);
  p.context.forward(b.observations, x, t.context, Activation::tanh);

  int64_t all = 0;
  for (const auto& tuples : b.tuples) all += tuples.count * tuples.tools;
  float* byTuple = scratch(1, all);
  float* fromContext = scratch(2, b.observations * H);
  float* fromItems = scratch(3, 2 * b.items * H);
  float* part = byTuple;
  for (int k = 0; k < 3; k++) {
    const Tuples& tuples = b.tuples[k];
    if (tuples.count == 0 || tuples.tools == 0) continue;
    p.arityContext[k].forward(b.observations, t.context, fromContext);
    for (int j = 0; j < k; j++) p.arityItem[k][j].forward(b.items, t.items, fromItems + j * b.items * H);
    float* sum = t.tuples[k];
    for (int64_t i = 0; i < tuples.count; i++, sum += H) {
      row(sum, fromContext + tuples.observation[i] * H, H);
      for (int j = 0; j < k; j++) add(sum, fromItems + (j * b.items + tuples.args[j][i]) * H, H);
    }
    activate(Activation::tanh, t.tuples[k], tuples.count * H);
    p.arityTools[k].forward(tuples.count, t.tuples[k], part);
    part += tuples.count * tuples.tools;
  }
  for (int64_t a = 0; a < b.actions; a++) scores[a] = byTuple[b.actionScore[a]];
  if (b.actionFlags == 0) return;
  p.hidden1.forward(b.rows, b.rowFlags, t.hidden1, Activation::tanh);
  p.hidden2.forward(b.rows, t.hidden1, t.hidden2, Activation::tanh);
  float* byTool = scratch(1, b.rows * b.toolCount);
  p.tools.forward(b.rows, t.hidden2, byTool);
  Finish more;
  more.add = true;
  denseForward(b.rows, b.actionFlags, b.toolCount, b.rowFlags, p.linear.w, byTool, more);
  for (int64_t a = 0; a < b.actions; a++) scores[a] += byTool[b.actionFeature[a]];
}

// The batch, offsets of the parameters, pooled, at, dscores, size of the trace, trace, dpooled, dat, offsets of the gradients
void plannerGrad(Call& call) {
  const Batch b(call);
  const Parameters p = b.parameters(call);
  const float* pooled = call.floats(times(b.texts, b.width));
  const float* at = call.floats(times(b.items, b.width));
  const float* dscores = call.floats(b.actions);
  if (call.size() != b.traceSize()) throw std::range_error("planner: the trace has another size");
  const Trace t(b, call.floats(b.traceSize()));
  float* dpooled = call.floats(times(b.texts, b.width));
  float* dat = call.floats(times(b.items, b.width));
  const Parameters g = b.parameters(call);
  const int64_t H = b.hidden, W = b.width;

  float* ditems = scratch(0, b.items * H);
  float* dcontext = scratch(1, b.observations * H);
  std::fill(ditems, ditems + b.items * H, 0.0f);
  std::fill(dcontext, dcontext + b.observations * H, 0.0f);

  if (b.actionFlags > 0) {
    float* dbyTool = scratch(2, b.rows * b.toolCount);
    std::fill(dbyTool, dbyTool + b.rows * b.toolCount, 0.0f);
    for (int64_t a = 0; a < b.actions; a++) dbyTool[b.actionFeature[a]] += dscores[a];
    float* dhidden = scratch(3, b.rows * H);
    float* dbelow = scratch(4, b.rows * H);
    p.linear.backward(b.rows, dbyTool, b.rowFlags, g.linear, nullptr);
    p.tools.backward(b.rows, dbyTool, t.hidden2, g.tools, dhidden);
    activationGrad(Activation::tanh, dhidden, t.hidden2, dhidden, b.rows * H);
    p.hidden2.backward(b.rows, dhidden, t.hidden1, g.hidden2, dbelow);
    activationGrad(Activation::tanh, dbelow, t.hidden1, dbelow, b.rows * H);
    p.hidden1.backward(b.rows, dbelow, b.rowFlags, g.hidden1, nullptr);
  }

  int64_t all = 0;
  for (const auto& tuples : b.tuples) all += tuples.count * tuples.tools;
  float* dbyTuple = scratch(2, all);
  std::fill(dbyTuple, dbyTuple + all, 0.0f);
  for (int64_t a = 0; a < b.actions; a++) dbyTuple[b.actionScore[a]] += dscores[a];
  float* dsum = scratch(3, std::max({b.tuples[0].count, b.tuples[1].count, b.tuples[2].count}) * H);
  float* gathered = scratch(4, std::max(b.observations, b.items) * H);
  const float* part = dbyTuple;
  for (int k = 0; k < 3; k++) {
    const Tuples& tuples = b.tuples[k];
    if (tuples.tools == 0) continue;
    if (tuples.count == 0) {
      clear(g.arityContext[k]);
      for (int j = 0; j < k; j++) clear(g.arityItem[k][j]);
      clear(g.arityTools[k]);
      continue;
    }
    p.arityTools[k].backward(tuples.count, part, t.tuples[k], g.arityTools[k], dsum);
    part += tuples.count * tuples.tools;
    activationGrad(Activation::tanh, dsum, t.tuples[k], dsum, tuples.count * H);
    std::fill(gathered, gathered + b.observations * H, 0.0f);
    for (int64_t i = 0; i < tuples.count; i++) add(gathered + tuples.observation[i] * H, dsum + i * H, H);
    p.arityContext[k].backward(b.observations, gathered, t.context, g.arityContext[k], dcontext, true);
    for (int j = 0; j < k; j++) {
      std::fill(gathered, gathered + b.items * H, 0.0f);
      for (int64_t i = 0; i < tuples.count; i++) add(gathered + tuples.args[j][i] * H, dsum + i * H, H);
      p.arityItem[k][j].backward(b.items, gathered, t.items, g.arityItem[k][j], ditems, true);
    }
  }

  std::fill(dpooled, dpooled + b.texts * W, 0.0f);
  const int64_t contextStep = b.contextInput(), itemStep = b.itemInput();
  float* x = scratch(2, std::max(b.items * itemStep, b.observations * contextStep));
  float* dx = scratch(3, std::max(b.items * itemStep, b.observations * contextStep));
  contextInputs(b, pooled, t.items, x);
  activationGrad(Activation::tanh, dcontext, t.context, dcontext, b.observations * H);
  p.context.backward(b.observations, dcontext, x, g.context, dx);
  for (int64_t o = 0; o < b.observations; o++) add(dpooled + b.observationText[o] * W, dx + o * contextStep, W);
  for (int64_t i = 0; i < b.items; i++) {
    const int64_t o = b.itemObservation[i];
    const float share = b.share[o];
    const float* mean = dx + o * contextStep + W;
    for (int64_t j = 0; j < H; j++) ditems[i * H + j] += share * mean[j];
  }
  if (b.items == 0) {
    clear(g.item);
    return;
  }
  itemInputs(b, pooled, at, x);
  activationGrad(Activation::tanh, ditems, t.items, ditems, b.items * H);
  p.item.backward(b.items, ditems, x, g.item, dx);
  for (int64_t i = 0; i < b.items; i++) {
    add(dpooled + b.itemText[i] * W, dx + i * itemStep, W);
    row(dat + i * W, dx + i * itemStep + W, W);
  }
}

}  // namespace millrace
