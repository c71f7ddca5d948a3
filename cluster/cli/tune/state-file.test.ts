import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseJobConfig } from '../../../src/config/load.ts';
import type { SearchPlan } from '../../../src/tune/search.ts';
import { checkUnchanged, readState, setAside, statePath, writeState, type SearchState } from './state-file.ts';
import { capacityOf, trialConfig } from './trial.ts';

const PLAN: SearchPlan = {
  space: { 'rollout.groupSize': { kind: 'choices', choices: [8, 32] } },
  objective: { kind: 'held-out-success' },
  trials: 4,
  initial: 2,
  seed: 1,
  halving: { rounds: [40, 80], keep: 0.5 },
};
const JOB = parseJobConfig({ name: 'demo', flow: './flow.ts' });
const STATE: SearchState = { format: 1, id: 'abc', plan: PLAN, job: JOB, trials: [] };

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-search-'));
  path = statePath(folder, '/somewhere/tune.yaml', 'demo');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the state of a search', () => {
  it('is what was written last, and leaves nothing else behind', async () => {
    expect(path).toBe(join(folder, 'tune', 'demo-tune.json'));
    expect(await readState(path)).toBeUndefined();
    await writeState(path, STATE);
    const current = { number: 1, job: 'demo-tune-abc-1', values: { 'rollout.groupSize': 8 } };
    await writeState(path, { ...STATE, current });
    expect(await readState(path)).toEqual({ ...STATE, current });
    expect(readdirSync(dirname(path))).toEqual(['demo-tune.json']);
  });

  it('is set aside for a new search', async () => {
    expect(await setAside(path)).toBeUndefined();
    await writeState(path, STATE);
    const kept = await setAside(path);
    expect(await readState(kept!)).toEqual(STATE);
    expect(await readState(path)).toBeUndefined();
  });

  it.each(['{', '[]', 'null', '{"format": "2"}'])('is refused when it is %s', async (text) => {
    await writeState(path, STATE);
    writeFileSync(path, text);
    await expect(readState(path)).rejects.toThrow(/holds no search that this version can read; start one without --resume/);
  });

  it('is named as such when a newer version wrote it', async () => {
    await writeState(path, STATE);
    writeFileSync(path, '{"format": 2, "trials": {}}');
    await expect(readState(path)).rejects.toThrow(/A newer version of Millrace wrote .* \(format 2; this version reads 1\)/);
  });

  it('goes on with another number of trials only', () => {
    expect(() => checkUnchanged(STATE, { ...PLAN, trials: 9, initial: 5 }, JOB)).not.toThrow();
    const more: SearchPlan = { ...PLAN, seed: 2, space: {} };
    expect(() => checkUnchanged(STATE, more, { ...JOB, rounds: 7 })).toThrow(
      /this has changed: seed, parameters, the job\. Put it back/,
    );
  });
});

describe("a trial's job", () => {
  it('runs to the last rung, is evaluated at each, and measures no baselines', () => {
    const config = trialConfig(PLAN, JOB);
    expect(config).toMatchObject({ rounds: 80, evaluation: { every: 40, baselines: false }, checkpoint: { keep: 1 } });
    const racing = trialConfig({ ...PLAN, objective: { kind: 'trajectories-to', target: 0.8 } }, JOB);
    expect(racing.evaluation.every).toBe(10);
  });

  it('takes at most as many trajectories as the largest groups do', () => {
    expect(capacityOf(PLAN, JOB)).toBe(32 * 16 * 80);
    expect(capacityOf({ ...PLAN, space: {} }, JOB)).toBe(8 * 16 * 80);
  });
});
