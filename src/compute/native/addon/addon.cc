// Kernels over the memory of the WebAssembly backend: registration.
#include <exception>

#include "call.h"

namespace millrace {

template <void (*kernel)(Call&)>
napi_value entry(napi_env env, napi_callback_info info) {
  try {
    Call call(env, info);
    kernel(call);
  } catch (const std::exception& error) {
    napi_throw_range_error(env, nullptr, error.what());
  }
  return nullptr;
}

napi_value start(napi_env env, napi_value exports) {
  // One core a process: what runs beside it are other processes of the cluster.
  setThreads(1);
  const napi_property_attributes attributes = napi_enumerable;
#define KERNEL(name) {#name, nullptr, entry<name>, nullptr, nullptr, nullptr, attributes, nullptr}
  const napi_property_descriptor properties[] = {
      KERNEL(accumulate), KERNEL(adamW), KERNEL(attention), KERNEL(attentionGrad), KERNEL(bag),
      KERNEL(bagGrad), KERNEL(binary), KERNEL(copyBlocks), KERNEL(copyScaled), KERNEL(denseGrad),
      KERNEL(gather), KERNEL(gruScan), KERNEL(gruScanGrad), KERNEL(layerNorm), KERNEL(layerNormGrad),
      KERNEL(llama), KERNEL(llamaAdapterSize), KERNEL(llamaPack), KERNEL(llamaPackAdapter), KERNEL(llamaSizes),
      KERNEL(permute), KERNEL(planner), KERNEL(plannerGrad), KERNEL(product), KERNEL(segmentSum),
      KERNEL(softmax), KERNEL(softmaxGrad), KERNEL(sumColumns), KERNEL(sumRows), KERNEL(transformer),
      KERNEL(transformerGrad), KERNEL(unary), KERNEL(unaryGrad),
  };
#undef KERNEL
  napi_define_properties(env, exports, sizeof(properties) / sizeof(properties[0]), properties);
  return exports;
}

}  // namespace millrace

NAPI_MODULE_INIT() { return millrace::start(env, exports); }
