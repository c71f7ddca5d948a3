/** Compute backends by name, as in `src/compute`, which is not loaded for a list of names. */
export const COMPUTE_BACKENDS = ['tensorflow-gpu', 'native', 'tensorflow', 'wasm', 'cpu'] as const;
