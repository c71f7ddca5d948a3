/** A language model that begins with random weights (examples/tiny-llama), in a short form. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runSerial } from '../cluster/serial/index.ts';
import { checkpointPath } from '../src/checkpoint/paths.ts';
import type { JobConfig } from '../src/config/job.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { temporaryFolder } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => void (folder = await temporaryFolder()));
afterAll(() => folder.remove());

/** A job of the example with a smaller model. */
function example(file: string, ...overrides: string[]): JobConfig {
  const path = fileURLToPath(new URL(`../examples/tiny-llama/${file}`, import.meta.url));
  const small = ['policy.new.width=64', 'policy.new.feedForward=96', 'evaluation.every=0', 'split.heldOut=0.03'];
  return loadJobConfig(path, { overrides: [...small, ...overrides] }).config;
}

it('a new model learns to call tools from a rule, and another job goes on from its checkpoint', async () => {
  const rounds = 10;
  const shown = await runSerial(example('job.yaml', `rounds=${rounds}`), { stateDir: folder.path });
  expect([shown.job.state, shown.job.error]).toEqual([JobState.SUCCEEDED, '']);
  const [evaluation] = shown.job.evaluations;
  expect(evaluation).toMatchObject({ name: 'trained', policyVersion: rounds, failed: 0 });
  // All of its first messages are calls: without a word about what a tool is.
  const firsts = shown.store.rows('steps').filter(({ evaluation: of, step }) => of === `trained@${rounds}` && step === 0);
  expect(firsts.length).toBeGreaterThan(10);
  expect(firsts.filter(({ tool }) => tool === 'find').length).toBeGreaterThan(0.9 * firsts.length);

  const checkpoint = checkpointPath(folder.path, shown.job.id, rounds);
  // A job that only measures what it starts from.
  const further = await runSerial(example('grpo.yaml', 'rounds=0'), { stateDir: folder.path, from: { checkpoint } });
  expect([further.job.state, further.job.error]).toEqual([JobState.SUCCEEDED, '']);
  const { successes, tasks, meanSteps } = evaluation!;
  expect(further.job.evaluations).toMatchObject([{ name: 'trained', policyVersion: 0, successes, tasks, meanSteps }]);
}, 240_000);
