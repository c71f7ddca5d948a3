import { runUpstreamTests } from '../upstream-tests/run.ts';

// Without exclusions: what wasm lacks (complex64, strings, products of int32) TensorFlow has.
await runUpstreamTests('tensorflow', []);
