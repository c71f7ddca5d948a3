/** Tests that a backend is not expected to pass. */
export interface Exclusion {
  reason: string;
  /** Matched against "suite > test". Every test that one matches must fail, and every pattern must match a test. */
  tests: readonly RegExp[];
  /** Backends it is about. Default: all under test. */
  on?: readonly string[];
  /** What these tests do on the wasm backend as it comes from its package; that is checked as well. */
  unmodified: 'fails' | 'passes';
}

/** The reviewed list. Whatever is not on it must pass, and whatever is on it must fail. */
export const EXCLUSIONS: readonly Exclusion[] = [
  {
    reason: 'complex64 tensors: the wasm backend has none',
    tests: [/complex/, /^(add|sub) > upcasts when dtypes dont match$/],
    unmodified: 'fails',
  },
  {
    reason: 'string tensors: the wasm backend has none',
    tests: [/^fill > \dD fill string$/, /^squeeze > (all ones|default|specific dimension|squeeze only ones)$/],
    unmodified: 'fails',
  },
  {
    reason: 'products of int32 matrices: the wasm backend multiplies float32 only, and says so',
    tests: [/^matmul > upcasts when dtypes dont match$/],
    unmodified: 'fails',
  },
];
