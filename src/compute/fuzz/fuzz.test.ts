import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { availableBackends } from './backends.ts';
import { OPERATIONS, type AnyOperation } from './operations.ts';

/** Fixed, so that a failure is found again. MILLRACE_FUZZ_SEED looks elsewhere, MILLRACE_FUZZ_RUNS further. */
const seed = Number(process.env['MILLRACE_FUZZ_SEED'] ?? 1);
const numRuns = Number(process.env['MILLRACE_FUZZ_RUNS'] ?? 60);

type Outcome = { error: string } | { shape: number[]; dtype: string; values: number[] }[];

async function outcome(backend: string, compute: AnyOperation['compute'], input: unknown): Promise<Outcome> {
  await tf.setBackend(backend);
  const held = tf.memory().numTensors;
  try {
    return tf.tidy(() => compute(input).map((y) => ({ shape: y.shape, dtype: y.dtype, values: [...y.dataSync()] })));
  } catch (thrown) {
    return { error: (thrown as Error).message };
  } finally {
    expect(tf.memory().numTensors).toBe(held);
  }
}

function expectSame(actual: Outcome, expected: Outcome): void {
  if ('error' in expected) {
    expect(actual).toHaveProperty('error');
    return;
  }
  if ('error' in actual) throw new Error(`fails where cpu does not: ${actual.error}`);
  const kind = (outcome: typeof actual): unknown => outcome.map(({ shape, dtype }) => ({ shape, dtype }));
  expect(kind(actual)).toEqual(kind(expected));
  actual.forEach(({ values }, which) =>
    values.forEach((value, i) => {
      const wanted = expected[which]!.values[i]!;
      if (!isClose(value, wanted)) throw new Error(`value ${i} of result ${which} is ${value}, on cpu ${wanted}`);
    }),
  );
}

function isClose(value: number, wanted: number): boolean {
  if (Object.is(value, wanted) || value === wanted) return true;
  return Math.abs(value - wanted) <= 2e-5 + 2e-5 * Math.abs(wanted);
}

describe.each(await availableBackends())('%s', (backend) => {
  beforeAll(() => void tf.env().set('IS_TEST', true));
  afterAll(() => void tf.env().set('IS_TEST', false));

  it.each(OPERATIONS)('computes $name like the cpu backend', async ({ input: given, compute, reference }) => {
    await fc.assert(
      fc.asyncProperty(given, async (input) => {
        expectSame(await outcome(backend, compute, input), await outcome('cpu', reference, input));
      }),
      { seed, numRuns },
    );
  });
});
