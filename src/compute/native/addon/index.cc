// Rows by index, and blocks of memory.
#include <cstring>

#include "call.h"

namespace millrace {

// count, rows, width, x [rows, width], index [count], out [count, width]
void gather(Call& call) {
  const int64_t count = call.size(), rows = call.size(), width = call.size();
  const float* x = call.floats(times(rows, width));
  const int32_t* index = call.integers(count);
  float* out = call.floats(times(count, width));
  for (int64_t i = 0; i < count; i++) {
    const int64_t row = index[i];
    if (row < 0 || row >= rows) {
      throw std::range_error("GatherV2: the index value " + std::to_string(row) + " is not in [0, " + std::to_string(rows - 1) + "]");
    }
    if (width == 1) out[i] = x[row];
    else std::memcpy(out + i * width, x + row * width, static_cast<size_t>(width) * sizeof(float));
  }
}

// count, segments, width, x [count, width], ids [count] (others than [0, segments) are dropped), out [segments, width]
void segmentSum(Call& call) {
  const int64_t count = call.size(), segments = call.size(), width = call.size();
  const float* x = call.floats(times(count, width));
  const int32_t* ids = call.integers(count);
  float* out = call.floats(times(segments, width));
  std::memset(out, 0, static_cast<size_t>(segments * width) * sizeof(float));
  for (int64_t i = 0; i < count; i++) {
    const int64_t id = ids[i];
    if (id < 0 || id >= segments) continue;
    const float* from = x + i * width;
    float* to = out + id * width;
    for (int64_t j = 0; j < width; j++) to[j] += from[j];
  }
}

namespace {

// Throws unless `starts` [texts + 1] rises from 0 to `count` and all tokens are rows of the table.
void checkBag(const int32_t* starts, int64_t texts, const int32_t* tokens, int64_t count, int64_t rows) {
  if (starts[0] != 0 || starts[texts] != count) throw std::range_error("bag: the texts must make up all tokens");
  for (int64_t t = 0; t < texts; t++) if (starts[t + 1] < starts[t]) throw std::range_error("bag: starts must rise");
  for (int64_t i = 0; i < count; i++) if (tokens[i] < 0 || tokens[i] >= rows) throw std::range_error("bag: a token is outside the table");
}

}  // namespace

// texts, count, rows, width, starts [texts + 1], tokens [count], table [rows, width], out [texts, width]: means, 0 without tokens
void bag(Call& call) {
  const int64_t texts = call.size(), count = call.size(), rows = call.size(), width = call.size();
  const int32_t* starts = call.integers(texts + 1);
  const int32_t* tokens = call.integers(count);
  checkBag(starts, texts, tokens, count, rows);
  const float* table = call.floats(times(rows, width));
  float* out = call.floats(times(texts, width));
  for (int64_t t = 0; t < texts; t++, out += width) {
    std::memset(out, 0, static_cast<size_t>(width) * sizeof(float));
    for (int64_t i = starts[t]; i < starts[t + 1]; i++) {
      const float* row = table + tokens[i] * width;
      for (int64_t j = 0; j < width; j++) out[j] += row[j];
    }
    const int64_t length = starts[t + 1] - starts[t];
    const float share = length > 0 ? 1 / static_cast<float>(length) : 0;
    for (int64_t j = 0; j < width; j++) out[j] *= share;
  }
}

// texts, count, rows, width, starts, tokens, dy [texts, width], dtable [rows, width]
void bagGrad(Call& call) {
  const int64_t texts = call.size(), count = call.size(), rows = call.size(), width = call.size();
  const int32_t* starts = call.integers(texts + 1);
  const int32_t* tokens = call.integers(count);
  checkBag(starts, texts, tokens, count, rows);
  const float* dy = call.floats(times(texts, width));
  float* dtable = call.floats(times(rows, width));
  std::memset(dtable, 0, static_cast<size_t>(rows * width) * sizeof(float));
  for (int64_t t = 0; t < texts; t++, dy += width) {
    const float share = 1 / static_cast<float>(starts[t + 1] - starts[t]);
    for (int64_t i = starts[t]; i < starts[t + 1]; i++) {
      float* row = dtable + tokens[i] * width;
      for (int64_t j = 0; j < width; j++) row[j] += share * dy[j];
    }
  }
}

// blocks, length, from-step, to-step (all in values of 4 bytes), from, to: copies `length` values a block
void copyBlocks(Call& call) {
  const int64_t blocks = call.size(), length = call.size(), fromStep = call.size(), toStep = call.size();
  const int64_t last = blocks == 0 ? 0 : blocks - 1;
  const float* from = call.floats(blocks == 0 ? 0 : times(fromStep, last) + length);
  float* to = call.floats(blocks == 0 ? 0 : times(toStep, last) + length);
  for (int64_t i = 0; i < blocks; i++) {
    std::memcpy(to + i * toStep, from + i * fromStep, static_cast<size_t>(length) * sizeof(float));
  }
}

// rank (at most 6), shape of the result, step in the source for each of its dimensions, source size, x, out
void permute(Call& call) {
  constexpr int64_t most = 6;
  const int64_t rank = call.size();
  if (rank < 1 || rank > most) throw std::range_error("permute: rank must be 1 to 6");
  int64_t shape[most], step[most], size = 1, reach = 0;
  for (int64_t d = 0; d < rank; d++) size = times(size, shape[d] = call.size());
  for (int64_t d = 0; d < rank; d++) {
    step[d] = call.size();
    if (shape[d] > 0) reach += times(step[d], shape[d] - 1);
  }
  const float* x = call.floats(size == 0 ? 0 : reach + 1);
  float* out = call.floats(size);
  if (size == 0) return;
  int64_t index[most] = {};
  const int64_t columns = shape[rank - 1], stride = step[rank - 1];
  for (int64_t at = 0, from = 0; at < size;) {
    for (int64_t j = 0; j < columns; j++) out[at++] = x[from + j * stride];
    int64_t d = rank - 2;
    for (; d >= 0; d--) {
      from += step[d];
      if (++index[d] < shape[d]) break;
      from -= step[d] * shape[d];
      index[d] = 0;
    }
    if (d < 0) break;
  }
}

}  // namespace millrace
