import { describe, expect, it } from 'vitest';
import { loadJobConfig } from '../../src/config/load.ts';
import type { RequestTask } from '../../src/jobs/requests.ts';
import { REAL_PORTS } from './real-ports.ts';
import { loadJobRuntime } from './runtime.ts';
import { heldOutText, taskPlan, type TaskPlan } from './tasks.ts';

const customers = (tasks: readonly RequestTask[]): Set<string> =>
  new Set(tasks.map(({ json }) => (JSON.parse(json) as { user_id: string }).user_id));

async function planOf(...overrides: string[]): Promise<TaskPlan> {
  const { config } = loadJobConfig('examples/retail/job.yaml', { overrides });
  const runtime = await loadJobRuntime(config, REAL_PORTS);
  return taskPlan(runtime, await runtime.tasks());
}

describe('taskPlan', () => {
  it('of the retail example has 300 tasks for validation and 500 for the test, all of other customers', async () => {
    for (const seed of [1, 2]) {
      const plan = await planOf(`seed=${seed}`);
      expect(plan.validation.length).toBeGreaterThanOrEqual(300);
      expect(plan.test.length).toBeGreaterThanOrEqual(500);
      const [train, validation, test] = [plan.train, plan.validation, plan.test].map(customers);
      expect(train!.size + validation!.size + test!.size).toBe(new Set([...train!, ...validation!, ...test!]).size);
      expect(heldOutText(plan)).toBe(`${plan.validation.length} for validation, ${plan.test.length} for the test`);
    }
  });

  it('has no test set at split.test 0, and trains on the same tasks', async () => {
    const small = ['source.users=60', 'source.tasks=50'];
    const [none, some] = [await planOf(...small, 'split.test=0'), await planOf(...small)];
    expect([none.test, none.train]).toEqual([[], some.train]);
    expect(none.validation).toHaveLength(some.validation.length + some.test.length);
    expect(heldOutText(none)).toBe(`${none.validation.length} held out`);
  });
});
