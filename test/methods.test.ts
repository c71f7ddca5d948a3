import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { METHODS } from '../src/algo/registry.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { seededRandom } from '../src/random/seeded.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const QUICK = ['evaluation.every=0', 'evaluation.baselines=false', 'rollout.groupsPerRound=4', 'rollout.groupSize=8'];

function run(overrides: readonly string[], options: Partial<Parameters<typeof runSerial>[1]> = {}): Promise<SerialResult> {
  return runSerial(thermostatJob([...QUICK, ...overrides]), { stateDir: folder.path, ...options });
}

function metrics(result: SerialResult): Record<string, number>[] {
  return result.store.rows('updates').map((row) => row['metrics'] as unknown as Record<string, number>);
}

/** Those that learn from what the policy does: what a rule does gets no better. */
const LEARNING = Object.values(METHODS).flatMap(({ name, imitates }) => (imitates === undefined ? [name] : []));

describe('every method of the registry', () => {
  it.each(LEARNING)('%s trains a job to its end through the whole cluster, and says what it did', async (name) => {
    // On policy: a bound on whole sequences as narrow as GSPO's leaves little of a group that is a version old.
    const onPolicy = ['rollout.maxStaleness=0', 'optimizer.learningRate=0.01', 'optimizer.finalLearningRate=1'];
    const result = await run([`algorithm.name=${name}`, 'rounds=40', ...onPolicy]);
    expect(result.job.error).toBe('');
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    expect(result.version).toBe(40);
    expect(result.weights.every(Number.isFinite)).toBe(true);
    const logged = metrics(result);
    expect(logged.some((round) => round['updates']! > 0 && round['loss'] !== 0 && Number.isFinite(round['entropy']))).toBe(true);
    // Every one of them learns the thermostat; a wrong sign or a lost advantage would not.
    const success = result.store.rows('updates').map((row) => Number(row['success_mean']));
    const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(mean(success.slice(-5)), `success by round: ${success.map((s) => s.toFixed(2)).join(' ')}`).toBeGreaterThan(
      mean(success.slice(0, 3)) + 0.1,
    );
  });
});

describe('several updates a round', () => {
  it.each([
    ['ppo', ['algorithm.epochs=2', 'algorithm.miniBatches=2', 'algorithm.value.clip=0.2']],
    ['gvpo', ['algorithm.epochs=2']],
    ['decoupled-ppo', ['algorithm.epochs=3']],
    [
      'grpo',
      ['algorithm.epochs=2', 'algorithm.kl.coefficient=0.05', 'algorithm.kl.reference=3', 'algorithm.correction.kind=truncate'],
    ],
  ] as const)('%s gives the same weights from 1 and 4 learners, and when it is interrupted', async (name, more) => {
    const job = [`algorithm.name=${name}`, 'rounds=8', 'rollout.maxStaleness=0', ...more];
    const one = await run(job);
    const random = seededRandom(7);
    const four = await run(job, { learners: 4, learnerDelayMs: () => random.integer(40) });
    const interrupted = await run(job, { interruptAfterRound: 4 });
    expect(one.version).toBe(8);
    const bytes = ({ weights }: SerialResult): Buffer => Buffer.from(weights.buffer, weights.byteOffset, weights.byteLength);
    expect(Math.max(...one.weights.map((value, i) => Math.abs(value - four.weights[i]!)))).toBeLessThanOrEqual(1e-6);
    expect(bytes(one).equals(bytes(interrupted))).toBe(true);
    expect(Math.max(...metrics(one).map((round) => round['updates']!))).toBe(
      name === 'ppo' ? 4 : name === 'decoupled-ppo' ? 3 : 2,
    );
  });
});

describe('dynamic sampling', () => {
  it('replaces groups without signal up to the limit of draws', async () => {
    // Nobody learns anything at a learning rate of 0: many groups fail alike, round after round.
    const result = await run(['algorithm.name=dapo', 'algorithm.refill.draws=1', 'rounds=6', 'optimizer.learningRate=0']);
    const { ledger, requests } = result.job.progress!;
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    const { trained, filtered, expired, failed } = ledger!;
    expect(trained + filtered + expired + failed).toBe(BigInt(requests));
    const rows = result.store.rows('updates');
    expect(rows.every((row) => Number(row['trained']) <= 4)).toBe(true);

    const refilled = await run(['algorithm.name=dapo', 'algorithm.refill.draws=10', 'rounds=6', 'optimizer.learningRate=0']);
    const full = refilled.store.rows('updates');
    expect(full.every((row) => Number(row['trained']) === 4)).toBe(true);
    expect(full.some((row) => Number(row['filtered']) > 0)).toBe(true);
  });
});
