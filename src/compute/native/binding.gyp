{
  # Built by scripts/setup/native.js. `arch` is what the compiler may use of the processor: the machine's own by default.
  'variables': { 'arch%': 'native' },
  'targets': [
    {
      'target_name': 'millrace_native',
      'sources': [
        'addon/addon.cc',
        'addon/attention.cc',
        'addon/elementwise.cc',
        'addon/gemm.cc',
        'addon/gru.cc',
        'addon/index.cc',
        'addon/llama.cc',
        'addon/optim.cc',
        'addon/planner.cc',
        'addon/product.cc',
        'addon/rows.cc',
        'addon/transformer.cc',
      ],
      'defines': ['NAPI_VERSION=8'],
      'cflags!': ['-fno-exceptions'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++17'],
      'cflags_cc': [
        '-std=c++17', '-O3', '-march=<(arch)', '-Wall', '-Wextra', '-fopenmp-simd',
        # Lets loops with comparisons and square roots be vectorised; NaN and infinity keep their meaning.
        '-fno-math-errno', '-fno-trapping-math',
      ],
      'conditions': [
        ['OS=="linux"', { 'libraries': ['-lopenblas'] }],
        # Half as wide is the compiler's choice for what is not all vector work; these loops are.
        ['OS=="linux" and target_arch=="x64"', { 'cflags_cc': ['-mprefer-vector-width=512'] }],
        ['OS=="mac"', {
          'defines': ['ACCELERATE_NEW_LAPACK'],
          'libraries': ['-framework Accelerate'],
          'xcode_settings': {
            'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
            'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
            'OTHER_CPLUSPLUSFLAGS': ['-O3', '-mcpu=<(arch)', '-fno-math-errno', '-fno-trapping-math'],
          },
        }],
      ],
    },
  ],
}
