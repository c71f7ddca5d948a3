import { runUpstreamTests } from '../upstream-tests/run.ts';

// What wasm lacks (complex64, strings, products of int32) TensorFlow has, so the list is its own.
await runUpstreamTests('tensorflow', [
  {
    reason: 'the sign of an int32: TensorFlow selects among floats only; upstream leaves this test out for tfjs-node too',
    tests: [/^step kernel > with int32 tensor$/],
    unmodified: 'passes',
  },
]);
