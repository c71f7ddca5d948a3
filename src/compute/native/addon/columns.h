#pragma once
#include <cstdint>

namespace millrace {

// Sums of the columns of x [rows, columns], rows taken in blocks so that long sums stay exact.
inline void columnSums(const float* x, int64_t rows, int64_t columns, float* sums) {
  constexpr int64_t block = 128, width = 64;
  for (int64_t from = 0; from < columns; from += width) {
    const int64_t n = columns - from < width ? columns - from : width;
    double total[width] = {};
    for (int64_t start = 0; start < rows; start += block) {
      const int64_t end = start + block < rows ? start + block : rows;
      float part[width] = {};
      for (int64_t i = start; i < end; i++) {
        const float* row = x + i * columns + from;
        for (int64_t j = 0; j < n; j++) part[j] += row[j];
      }
      for (int64_t j = 0; j < n; j++) total[j] += static_cast<double>(part[j]);
    }
    for (int64_t j = 0; j < n; j++) sums[from + j] = static_cast<float>(total[j]);
  }
}

}  // namespace millrace
