// Setup file of `npm run test:tensorflow`: tests written for other backends run on the one under test.
import { vi } from 'vitest';
import type * as Backend from '../../src/compute/backend.ts';

const backend = process.env['MILLRACE_TEST_BACKEND'] ?? 'tensorflow';
/** A test that asks for WebAssembly gets the backend under test, whose name within tensorflow.js is `tensorflow` on a GPU too. */
const INSTEAD: Readonly<Record<string, string>> = { wasm: backend, tensorflow: backend };

vi.mock('../../src/compute/backend.ts', async (original) => {
  const module = await original<typeof Backend>();
  const initCompute: typeof Backend.initCompute = ({ preferred = backend } = {}) =>
    preferred === 'native'
      ? Promise.reject(new Error(`this run is about ${backend}`))
      : module.initCompute({ preferred: INSTEAD[preferred] ?? preferred });
  return { ...module, initCompute };
});
