import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import type { JobConfig } from '../src/config/job.ts';
import { rewardComponents } from '../src/config/job/reward.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { temporaryFolder, thermostatJob } from './support/thermostat.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder.remove());

const path = (name: string): string => fileURLToPath(new URL(`./flows/${name}`, import.meta.url));
const FLOW = path('shaped.ts');
const QUICK = ['rounds=3', 'evaluation.every=0', 'evaluation.baselines=false', 'rollout.groupsPerRound=4'];
const SHAPED = [
  'reward.shaping=default',
  `reward.components=${JSON.stringify([
    { name: 'potential', weight: 0.05, gamma: 0.9 },
    { name: 'comfort', weight: 0.5 },
    { name: 'brevity', weight: 0.2, module: path('brevity.ts') },
  ])}`,
];

const job = (reward: readonly string[]): JobConfig => ({ ...thermostatJob([...QUICK, ...reward]), flow: FLOW });
const run = (config: JobConfig): Promise<SerialResult> => runSerial(config, { stateDir: folder.path });

interface Row {
  purpose: string;
  outcome: number;
  reward: number;
  steps: number;
  tool_errors: number;
  advantage: number;
  valid: boolean;
  failure: string;
  failure_message: string;
  components: Record<string, number>;
}
const rowsOf = ({ store }: SerialResult): Row[] => store.rows('trajectories') as unknown as Row[];

describe('a job with a shaped reward', () => {
  it('stores every component of every trajectory, and the reward is their weighted sum', async () => {
    const config = job(SHAPED);
    const result = await run(config);
    expect(result.job.state).toBe(JobState.SUCCEEDED);
    const rows = rowsOf(result);
    const training = rows.filter(({ purpose }) => purpose === 'train');
    expect(training.length).toBeGreaterThan(100);
    const components = rewardComponents(config.reward);
    const names = ['brevity', 'comfort', 'outcome', 'potential', 'step', 'tool-success', 'verification'];
    for (const row of training) {
      expect(row).toMatchObject({ valid: true, failure: '', failure_message: '' });
      expect(Object.keys(row.components).sort()).toEqual(names);
      expect(row.components['outcome']).toBe(row.outcome);
      expect(row.components['step']).toBe(row.steps);
      expect(row.components['tool-success']).toBe(row.steps - row.tool_errors);
      expect(row.components['verification']).toBeLessThanOrEqual(row.components['tool-success']!);
      const sum = components.reduce((all, { name, weight }) => all + weight * row.components[name]!, 0);
      expect(row.reward).toBeCloseTo(sum, 4);
    }
    expect(training.some(({ advantage }) => advantage !== 0)).toBe(true);
    for (const row of rows.filter(({ purpose }) => purpose === 'evaluate')) {
      expect(row.reward).toBe(row.outcome);
      expect(Object.keys(row.components)).toEqual(['comfort']);
    }
    const again = await run(config);
    expect(Buffer.from(again.weights.buffer).equals(Buffer.from(result.weights.buffer))).toBe(true);
  });

  it('changes what is learned; the outcome alone stores no components', async () => {
    const plain = await run(job([]));
    const shaped = await run(job(['reward.shaping=default']));
    for (const row of rowsOf(plain)) {
      expect(row.reward).toBe(row.outcome);
      expect(Object.keys(row.components)).toEqual(['comfort']);
    }
    expect(Buffer.from(plain.weights.buffer).equals(Buffer.from(shaped.weights.buffer))).toBe(false);
    // A weight of 1 written down is the default.
    const written = await run(job(['reward.components=[{name: outcome, weight: 1}]']));
    expect(Buffer.from(plain.weights.buffer).equals(Buffer.from(written.weights.buffer))).toBe(true);
    expect(rowsOf(written)).toEqual(rowsOf(plain));
  });

  it.each([
    [
      'an unknown component',
      ['reward.shaping=default', 'reward.components=[{name: comfrot, weight: 1}]'],
      /unknown component "comfrot"; known .*comfort/,
    ],
    [
      'a module without a function',
      ['reward.shaping=default', `reward.components=[{name: x, weight: 1, module: ${path('faulty.yaml')}}]`],
      /reward\.components\.0\.module: .*faulty\.yaml cannot be imported/,
    ],
  ])('is not created with %s', async (_, reward, message) => {
    await expect(run(job(reward))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message) as string,
    });
  });
});
