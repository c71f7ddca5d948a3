import * as tf from '@tensorflow/tfjs-core';
import { afterAll, describe, expect, it } from 'vitest';
import { initCompute } from '../backend.ts';
import { loadWasm } from '../wasm.ts';
import { loadUpstream, type Modules } from './bundle.ts';
import { EXCLUSIONS, type Exclusion } from './exclusions.ts';
import { collectTests, type CollectedTest } from './jasmine.ts';
import { TESTS_OF_KERNELS } from './kernels.ts';

/** The wasm backend with the kernels of its package alone; excluded tests run on it too. */
const UNMODIFIED = 'unmodified';

const FILES = [...new Set(Object.values(TESTS_OF_KERNELS).flat())];
const SUPPORT = ['jasmine_util', 'register_all_gradients', 'public/chained_ops/register_all_chained_ops'];

/**
 * Defines upstream's tests of our kernels on a backend, as tests of the calling file, and prints how many passed. Where the
 * backend cannot be had on this machine there is one skipped test that says why.
 */
export async function runUpstreamTests(backend: string, reviewed: readonly Exclusion[] = EXCLUSIONS): Promise<void> {
  await loadWasm();
  tf.copyRegisteredKernels('wasm', UNMODIFIED);
  const wasm = tf.findBackend('wasm');
  tf.registerBackend(UNMODIFIED, () => wasm);
  try {
    await initCompute({ preferred: backend });
  } catch (thrown) {
    const why = (thrown as Error).message;
    process.stdout.write(`upstream tests on ${backend}: skipped, ${why}\n`);
    it(`upstream tests on ${backend}`, ({ skip }) => skip(why));
    return;
  }
  keepBackends();
  const load = await loadUpstream([...SUPPORT, ...FILES]);
  const tests = collect(load(), backend);
  const onUnmodified = collect(load(), UNMODIFIED);
  const exclusions = reviewed.filter(({ on }) => on?.includes(backend) ?? true);
  const excluding = (name: string) => exclusions.filter((exclusion) => exclusion.tests.some((test) => test.test(name)));

  let passed = 0;
  for (const [file, found] of tests) {
    describe(`${backend}: ${file}`, () => {
      for (const { name, run } of found.filter(({ name }) => excluding(name).length === 0)) {
        it(name, async () => {
          await run();
          passed++;
        });
      }
    });
  }
  const excluded = new Map<Exclusion, number>();
  for (const exclusion of exclusions) {
    const isExcluded = ({ name }: Named): boolean => excluding(name)[0] === exclusion;
    const found = [...tests.values()].flat().filter(isExcluded);
    excluded.set(exclusion, found.length);
    describe(`excluded: ${exclusion.reason}`, () => {
      for (const { name, run } of found) it(`fails on ${backend}: ${name}`, () => expectToFail(run, backend));
      for (const { name, run } of [...onUnmodified.values()].flat().filter(isExcluded)) {
        it(`${exclusion.unmodified} on the unmodified backend: ${name}`, () =>
          exclusion.unmodified === 'passes' ? run() : expectToFail(run, 'the unmodified backend'));
      }
      for (const pattern of exclusion.tests) {
        it(`has tests like ${pattern.source}`, () => expect(found.some(({ name }) => pattern.test(name))).toBe(true));
      }
    });
  }
  afterAll(() => {
    const lines = [...excluded].map(([{ reason, unmodified }, count]) => `  ${count}: ${reason} (unmodified: ${unmodified})\n`);
    process.stdout.write(`upstream tests on ${backend}: ${passed} passed, excluded\n${lines.join('')}`);
  });
}

interface Named extends CollectedTest {
  name: string;
}

/** Upstream's tests by file, to run on a backend; their names leave out which. */
function collect(modules: Modules, backend: string): Map<string, Named[]> {
  registerSupport(modules, backend);
  const named = (test: CollectedTest): Named => ({
    ...test,
    name: test.path.map((part) => part.replace(` ${backend} {}`, '').trim()).join(' > '),
  });
  return new Map(FILES.map((file) => [file, collectTests(() => void modules[file]).map(named)]));
}

/** Upstream's gradients for kernels that have none here, its chained operations, and one environment to run in. */
function registerSupport(modules: Modules, backendName: string): void {
  const ours = Object.values(tf).flatMap((name) => (typeof name === 'string' && tf.getGradient(name)) || []);
  void modules['register_all_gradients'];
  for (const gradient of ours) tf.registerGradient(gradient);
  void modules['public/chained_ops/register_all_chained_ops'];
  const setTestEnvs = modules['jasmine_util']!['setTestEnvs'] as (environments: object[]) => void;
  setTestEnvs([{ name: backendName, backendName, isDataSync: true }]);
}

/** Upstream's suites reset the whole engine. Backends would lose what they share, so only tensors go. */
function keepBackends(): void {
  const engine = tf.engine() as unknown as { reset(): void; state: { dispose(): void; constructor: new () => never } };
  engine.reset = () => {
    engine.state.dispose();
    engine.state = new engine.state.constructor();
  };
}

async function expectToFail(run: () => Promise<void>, where: string): Promise<void> {
  const failed = await run().then(
    () => false,
    () => true,
  );
  if (!failed) throw new Error(`this test passes on ${where}: correct the list of exclusions`);
}
