import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock/system.ts';
import { rulePlanner } from '../../src/flow/planner.ts';
import { runFlow } from '../../src/flow/run.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import flow from './flow.ts';

const { tasks } = await flow.load({ data: undefined, options: {}, seed: 1 });

describe('the tiny-llama flow', () => {
  it('has 1,080 tasks that fit its schema, each with its own id', () => {
    expect(tasks).toHaveLength(1080);
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(1080);
    for (const task of tasks) expect(flow.task.parse(task)).toEqual(task);
  });

  it('is solved by its rule on every task, in two or three turns', async () => {
    const turns = new Set<number>();
    for (const task of tasks) {
      const common = { planner: rulePlanner(flow), clock: systemClock, random: seededRandom(1) };
      const run = await runFlow({ flow, task, context: undefined, ...common });
      expect(run.failure).toBeUndefined();
      expect(await flow.reward(task, JSON.parse(run.answerJson), undefined), task.id).toBe(1);
      turns.add(run.steps.length);
    }
    expect([...turns].sort()).toEqual([2, 3]);
  });
});
