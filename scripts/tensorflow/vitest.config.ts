import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** The tests of the compute layer that hold for any backend, and those of backend `tensorflow` alone. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    pool: 'forks',
    maxWorkers: 1,
    // Memory is measured after a collection.
    execArgv: ['--expose-gc'],
    reporters: ['default', './scripts/closing-line.js'],
    include: [
      'src/compute/compute.test.ts',
      'src/compute/fuzz/{fuzz,gradients,memory}.test.ts',
      'src/compute/tensorflow/*.accept.ts',
      'src/policy/**/*.test.ts',
    ],
    setupFiles: ['scripts/tensorflow/under-test.ts'],
    env: { MILLRACE_FUZZ_BACKENDS: 'tensorflow' },
    // What is promised of the choice of a backend and of WebAssembly's own kernels.
    testNamePattern: /^(?!initCompute|fastTanh)/,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
