// A call from JavaScript: its arguments in order, checked. The first one is the heap that byte offsets point into.
#pragma once
#include <node_api.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace millrace {

// Numbers of a typed array.
struct Span {
  float* data;
  int64_t length;
};

class Call {
 public:
  Call(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr);
    if (count_ > kMost) fail("too many arguments");
    napi_typedarray_type type;
    void* data = nullptr;
    if (count_ == 0 || napi_get_typedarray_info(env, values_[0], &type, &bytes_, &data, nullptr, nullptr) != napi_ok ||
        type != napi_uint8_array) {
      fail("the first argument must be the heap, a Uint8Array");
    }
    heap_ = static_cast<uint8_t*>(data);
  }

  // The next argument, a whole number of at least 0.
  int64_t size() {
    const double value = number();
    if (!(value >= 0 && value <= 9007199254740991.0) || value != std::floor(value)) fail("must be a whole number of at least 0");
    return static_cast<int64_t>(value);
  }

  double number() {
    double value = 0;
    if (next_ >= count_ || napi_get_value_double(env_, values_[next_], &value) != napi_ok) fail("must be a number");
    next_++;
    return value;
  }

  bool flag() { return number() != 0; }

  // The next argument is the byte offset of `count` values in the heap.
  float* floats(int64_t count) { return at<float>(count); }
  int32_t* integers(int64_t count) { return at<int32_t>(count); }

  // The same with an offset that came in an array.
  float* floatsAt(double offset, int64_t count) { return reach<float>(offset, count); }

  // The next argument is a typed array of its own with `count` values.
  template <typename T>
  T* array(int64_t count) {
    napi_typedarray_type type;
    size_t length = 0;
    void* data = nullptr;
    if (next_ >= count_ || napi_get_typedarray_info(env_, values_[next_], &type, &length, &data, nullptr, nullptr) != napi_ok) {
      fail("must be a typed array");
    }
    const napi_typedarray_type wanted = std::is_same<T, float>::value    ? napi_float32_array
                                        : std::is_same<T, double>::value ? napi_float64_array
                                                                         : napi_int32_array;
    if (type != wanted) fail("is a typed array of another type");
    if (static_cast<int64_t>(length) < count) fail("is too short");
    next_++;
    return static_cast<T*>(data);
  }

  // The next argument is a list of typed arrays of floats.
  std::vector<Span> spans() {
    uint32_t count = 0;
    if (next_ >= count_ || napi_get_array_length(env_, values_[next_], &count) != napi_ok) fail("must be a list");
    std::vector<Span> spans(count);
    for (uint32_t i = 0; i < count; i++) {
      napi_value element;
      napi_typedarray_type type;
      size_t length = 0;
      void* data = nullptr;
      if (napi_get_element(env_, values_[next_], i, &element) != napi_ok ||
          napi_get_typedarray_info(env_, element, &type, &length, &data, nullptr, nullptr) != napi_ok || type != napi_float32_array) {
        fail("must be a list of Float32Array");
      }
      spans[i] = {static_cast<float*>(data), static_cast<int64_t>(length)};
    }
    next_++;
    return spans;
  }

  // Length of the next argument, a typed array, which is not taken yet.
  int64_t length() {
    napi_typedarray_type type;
    size_t length = 0;
    if (next_ >= count_ ||
        napi_get_typedarray_info(env_, values_[next_], &type, &length, nullptr, nullptr, nullptr) != napi_ok) {
      fail("must be a typed array");
    }
    return static_cast<int64_t>(length);
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::range_error("argument " + std::to_string(next_) + " " + what);
  }

 private:
  template <typename T>
  T* at(int64_t count) {
    const double value = number();
    next_--;
    T* result = reach<T>(value, count);
    next_++;
    return result;
  }

  template <typename T>
  T* reach(double value, int64_t count) {
    if (count < 0 || count > static_cast<int64_t>(bytes_ / sizeof(T))) fail("would reach beyond the heap");
    const double end = value + static_cast<double>(count) * sizeof(T);
    if (!(value >= 0) || !(end <= static_cast<double>(bytes_))) fail("reaches beyond the heap");
    const int64_t offset = static_cast<int64_t>(value);
    if (offset % static_cast<int64_t>(alignof(T)) != 0) fail("is not aligned");
    return reinterpret_cast<T*>(heap_ + offset);
  }

  static constexpr size_t kMost = 48;
  napi_env env_;
  napi_value values_[kMost];
  size_t count_ = kMost;
  size_t next_ = 1;
  uint8_t* heap_ = nullptr;
  size_t bytes_ = 0;
};

// The product of counts; throws where it would overflow.
inline int64_t times(int64_t a, int64_t b) {
  if (a != 0 && b > std::numeric_limits<int64_t>::max() / a) throw std::range_error("a shape is too large");
  return a * b;
}

// What the addon offers; each in the file of its name.
void accumulate(Call&);
void adamW(Call&);
void attention(Call&);
void attentionGrad(Call&);
void bag(Call&);
void bagGrad(Call&);
void binary(Call&);
void copyBlocks(Call&);
void copyScaled(Call&);
void denseGrad(Call&);
void gather(Call&);
void gruScan(Call&);
void gruScanGrad(Call&);
void layerNorm(Call&);
void layerNormGrad(Call&);
void llama(Call&);
void llamaAdapterSize(Call&);
void llamaPack(Call&);
void llamaPackAdapter(Call&);
void llamaSizes(Call&);
void permute(Call&);
void planner(Call&);
void plannerGrad(Call&);
void product(Call&);
void segmentSum(Call&);
void softmax(Call&);
void softmaxGrad(Call&);
void sumColumns(Call&);
void sumRows(Call&);
void transformer(Call&);
void transformerGrad(Call&);
void unary(Call&);
void unaryGrad(Call&);
void setThreads(int);

}  // namespace millrace
