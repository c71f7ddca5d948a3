import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';

/** Loads the WebAssembly backend from node_modules (never from a network) and makes it the current one. */
export async function loadWasm(): Promise<string> {
  const wasm = await import('@tensorflow/tfjs-backend-wasm');
  const folder = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
  wasm.setWasmPaths(join(folder, sep));
  const started = await withoutNewListeners(() => tf.setBackend('wasm'));
  if (!started) throw new Error(`the .wasm file in ${folder} could not be started; reinstall the package`);
  await tf.ready();
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return `CPU (WebAssembly${simd ? ', SIMD' : ''}, 1 thread)`;
}

/**
 * The compiled module listens for uncaught exceptions and unhandled rejections only to throw them again, which prints its
 * whole source and takes the decision away from the process.
 */
async function withoutNewListeners<T>(load: () => Promise<T>): Promise<T> {
  const events = ['uncaughtException', 'unhandledRejection'];
  const before = events.map((event) => new Set(process.listeners(event as 'uncaughtException')));
  try {
    return await load();
  } finally {
    events.forEach((event, index) => {
      for (const listener of process.listeners(event as 'uncaughtException')) {
        if (!before[index]!.has(listener)) process.removeListener(event, listener);
      }
    });
  }
}
