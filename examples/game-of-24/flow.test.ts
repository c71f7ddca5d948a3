import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock/system.ts';
import { flowShape, planStep } from '../../src/flow/plan.ts';
import { randomPlanner, rulePlanner, type Planner } from '../../src/flow/planner.ts';
import { runFlow } from '../../src/flow/run.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import flow, { type Puzzle } from './flow.ts';

const { tasks } = await flow.load({ data: undefined, options: {}, seed: 1 });

async function solved(task: Puzzle, planner: Planner, seed = 1): Promise<boolean> {
  const run = await runFlow({ flow, task, context: undefined, planner, clock: systemClock, random: seededRandom(seed) });
  expect(run.failure).toBeUndefined();
  return (await flow.reward(task, JSON.parse(run.answerJson), undefined)) === 1;
}

describe('the game-of-24 flow', () => {
  it('has 1,362 tasks that fit its schema, each with its own id', () => {
    expect(tasks).toHaveLength(1362);
    expect(new Set(tasks.map((task) => task.id)).size).toBe(1362);
    for (const task of tasks) expect(flow.task.parse(task)).toEqual(task);
  });

  it('is solved by the rule planner on every task', async () => {
    const results = await Promise.all(tasks.map((task) => solved(task, rulePlanner(flow))));
    expect(results.filter(Boolean)).toHaveLength(1362);
  }, 60_000);

  it('is solved by random moves in about 0.6 % of the flows', async () => {
    let wins = 0;
    for (const [i, task] of tasks.entries()) wins += Number(await solved(task, randomPlanner, i));
    expect(wins / tasks.length).toBeGreaterThan(0.002);
    expect(wins / tasks.length).toBeLessThan(0.012);
  }, 60_000);

  it('ends after three steps with one number, and says how it came about', async () => {
    const task = { id: 'x', numbers: [1, 5, 5, 5] };
    const run = await runFlow({
      flow,
      task,
      context: undefined,
      planner: rulePlanner(flow),
      clock: systemClock,
      random: seededRandom(1),
    });
    expect(JSON.parse(run.answerJson)).toEqual({ numbers: ['24'], steps: ['1 / 5 = 1/5', '5 - 1/5 = 24/5', '5 * 24/5 = 24'] });
    expect(run.steps.map((step) => step.tool)).toEqual(['divide', 'subtract', 'multiply']);
  });

  it('previews the result of a move and what is left beside it', () => {
    const memory = flow.remember({ id: 'x', numbers: [2, 3, 4, 13] }, undefined);
    const { plan } = planStep(flow, flowShape(flow), memory, 0);
    expect(plan.items).toHaveLength(4);
    const product = plan.actions.find((action) => action.tool === 'multiply' && String(action.items) === '0,1')!;
    expect(product.flags).toMatchObject({
      result_is_6: true,
      result_divides: true,
      rest1_is_4: true,
      rest2_is_13: true,
      rests: 1,
    });
    expect(product.flags).not.toHaveProperty('rest2_divides');
  });

  it('gives no reward for an unfinished table or another number', () => {
    const task = tasks[0]!;
    expect(flow.reward(task, { numbers: ['24', '1'], steps: [] }, undefined)).toBe(0);
    expect(flow.reward(task, { numbers: ['24/5'], steps: [] }, undefined)).toBe(0);
    expect(flow.reward(task, { numbers: ['24'], steps: [] }, undefined)).toBe(1);
  });

  it('refuses task data, and puzzles that are none', () => {
    expect(() => flow.load({ data: '/some/folder', options: {}, seed: 1 })).toThrow(expect.objectContaining({ field: 'data' }));
    for (const numbers of [
      [1, 2, 3],
      [0, 1, 2, 3],
      [1, 2, 3, 14],
      [1.5, 2, 3, 4],
    ]) {
      expect(flow.task.safeParse({ id: 'x', numbers }).success).toBe(false);
    }
  });
});
