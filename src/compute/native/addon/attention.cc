// Attention alone, over many sequences; see ../../kernels/attention.ts.
#include "attention.h"

#include "call.h"

namespace millrace {

// rows, width, heads, sequences, starts [sequences + 1], squares (values of the probabilities), qkv [rows, 3 width],
// out [rows, width], probabilities
void attention(Call& call) {
  const int64_t rows = call.size(), width = call.size();
  const Heads heads(width, call.size());
  const int64_t sequences = call.size();
  const int32_t* starts = call.integers(sequences + 1);
  const int64_t squares = call.size();
  const Lengths lengths(starts, sequences, rows);
  if (squares != heads.heads * lengths.squares) throw std::range_error("attention: the probabilities have another size");
  const float* qkv = call.floats(times(rows, heads.step));
  float* out = call.floats(times(rows, width));
  float* p = call.floats(squares);
  for (int64_t s = 0; s < sequences; s++) {
    const int64_t from = starts[s], length = starts[s + 1] - from;
    attend(heads, length, qkv + from * heads.step, out + from * width, p);
    p += heads.heads * length * length;
  }
}

// rows, width, heads, sequences, starts, squares, dy [rows, width], qkv, probabilities, dqkv [rows, 3 width]
void attentionGrad(Call& call) {
  const int64_t rows = call.size(), width = call.size();
  const Heads heads(width, call.size());
  const int64_t sequences = call.size();
  const int32_t* starts = call.integers(sequences + 1);
  const int64_t squares = call.size();
  const Lengths lengths(starts, sequences, rows);
  if (squares != heads.heads * lengths.squares) throw std::range_error("attention: the probabilities have another size");
  const float* dy = call.floats(times(rows, width));
  const float* qkv = call.floats(times(rows, heads.step));
  const float* p = call.floats(squares);
  float* dqkv = call.floats(times(rows, heads.step));
  if (sequences == 0 || starts[0] > 0 || starts[sequences] < rows) std::fill(dqkv, dqkv + rows * heads.step, 0.0f);
  float* flow = scratch(0, lengths.longest * lengths.longest);
  for (int64_t s = 0; s < sequences; s++) {
    const int64_t from = starts[s], length = starts[s + 1] - from;
    attendGrad(heads, length, dy + from * width, qkv + from * heads.step, p, dqkv + from * heads.step, flow);
    p += heads.heads * length * length;
  }
}

}  // namespace millrace
