import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explorationSchema } from '../config/job/exploration.ts';
import { rewardSchema, type RewardConfig } from '../config/job/reward.ts';
import { parcelFlow } from '../flow/fixtures/parcels.ts';
import { validateFlow } from '../flow/validate.ts';
import { checkComponents, checkReward } from './check.ts';
import { signalNeeds } from './needs.ts';

const OUTCOME = { name: 'outcome', weight: 1 };
const reward = (...components: object[]): RewardConfig => rewardSchema.parse({ components: [OUTCOME, ...components] });
const flow = validateFlow({ ...parcelFlow(), components: ['tidy', 'step'], potential: () => 0 });
const bare = validateFlow(parcelFlow());

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-check-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('checkComponents', () => {
  it('takes what Millrace, the flow and modules give', () => {
    expect(() => checkComponents(rewardSchema.parse({ shaping: 'default' }), bare)).not.toThrow();
    const all = reward(
      { name: 'tidy', weight: 1 },
      { name: 'potential', weight: 1 },
      { name: 'mine', weight: 1, module: 'm.ts' },
    );
    expect(() => checkComponents(all, flow)).not.toThrow();
  });

  it.each([
    [
      'an unknown name',
      reward({ name: 'tidi', weight: 1 }),
      flow,
      'reward.components.1.name',
      /unknown component "tidi"; known .*potential, tidy, step/,
    ],
    [
      'a name the flow does not list',
      reward({ name: 'tidy', weight: 1 }),
      bare,
      'reward.components.1.name',
      /listed in `components` of the flow/,
    ],
    [
      'a potential that the flow lacks',
      reward({ name: 'potential', weight: 1 }),
      bare,
      'reward.components.1.name',
      /flow "parcels" has no potential/,
    ],
    [
      'a name of both',
      reward({ name: 'step', weight: 1 }),
      flow,
      'reward.components.1.name',
      /"step" is also a component of flow "parcels"/,
    ],
    ['a name of both by default', rewardSchema.parse({ shaping: 'default' }), flow, 'reward.shaping', /"step" is also/],
    [
      'a module under the name of the flow',
      reward({ name: 'tidy', weight: 1, module: 'm.ts' }),
      flow,
      'reward.components.1.name',
      /"tidy" is also/,
    ],
  ])('refuses %s', (...[, config, of, field, message]) => {
    expect(() => checkComponents(config, of)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', field, message: expect.stringMatching(message) }),
    );
  });
});

describe('checkReward', () => {
  it('loads every module, and says which of them is wrong', async () => {
    const good = join(folder, 'good.ts');
    const bad = join(folder, 'bad.ts');
    writeFileSync(good, 'export default (): number => 1;\n');
    writeFileSync(bad, 'export default { reward: 1 };\n');
    const mine = { name: 'mine', weight: 1, module: good };
    await expect(checkReward(reward(mine), flow)).resolves.toBeUndefined();
    const field = 'reward.components.2.module';
    await expect(checkReward(reward(mine, { ...mine, name: 'other', module: bad }), flow)).rejects.toMatchObject({
      code: 'invalid_argument',
      field,
      message: expect.stringMatching(/^reward\.components\.2\.module: .*bad\.ts: the default export is no function/) as string,
    });
    const missing = reward(mine, { ...mine, name: 'other', module: join(folder, 'none.ts') });
    await expect(checkReward(missing, flow)).rejects.toMatchObject({ code: 'not_found', field });
  });
});

describe('signalNeeds', () => {
  const exploration = explorationSchema.parse({});

  it('asks for what the components use, and for nothing by default', () => {
    const needs = (config: unknown): unknown => signalNeeds({ reward: rewardSchema.parse(config), exploration });
    expect(needs({})).toEqual({ steps: false, potential: false });
    expect(needs({ components: [OUTCOME, { name: 'step', weight: 1 }] })).toEqual({ steps: false, potential: false });
    expect(needs({ shaping: 'default' })).toEqual({ steps: true, potential: false });
    expect(needs({ components: [OUTCOME, { name: 'potential', weight: 1 }] })).toEqual({ steps: false, potential: true });
    expect(needs({ components: [OUTCOME, { name: 'mine', weight: 1, module: 'm.ts' }] })).toMatchObject({ steps: true });
  });

  it('asks for steps where exploration learns from them', () => {
    const counting = { ...exploration, statistics: true };
    expect(signalNeeds({ reward: rewardSchema.parse({}), exploration: counting })).toEqual({ steps: true, potential: false });
  });
});
