import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock/system.ts';
import { rulePlanner } from '../../src/flow/planner.ts';
import { runFlow } from '../../src/flow/run.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import flow from './flow.ts';
import { GOODS, SENTENCES } from './sentences.ts';

const { tasks } = await flow.load({ data: undefined, options: {}, seed: 1 });
const argument = new RegExp(`\\d{3}|\\b(?:${GOODS.join('|')})\\b`);

describe('the tool-choice flow', () => {
  it('has 336 tasks that fit its schema, in hundreds of phrasings, as many for each call', () => {
    expect(new Set(tasks.map(({ id }) => id)).size).toBe(336);
    expect(new Set(tasks.map(({ text }) => text.replace(argument, '#'))).size).toBeGreaterThan(250);
    const types = tasks.map((task) => flow.type!(task));
    for (const call of Object.keys(SENTENCES)) expect(types.filter((type) => type === call)).toHaveLength(56);
    for (const task of tasks) expect(flow.task.parse(task)).toEqual(task);
  });

  it('keeps sentences that say the same in other words apart, and those of one kind together', () => {
    const keys = new Map<string, Set<string>>();
    for (const task of tasks) {
      const key = flow.splitKey!(task);
      keys.set(key, (keys.get(key) ?? new Set()).add(task.call.split('(')[0]!));
    }
    expect(keys.size).toBe(84);
    for (const calls of keys.values()) expect(calls.size).toBe(1);
  });

  it('names what the call is about in every sentence', () => {
    for (const { text, call } of tasks) expect(text).toContain(/\((\w+)\)/.exec(call)![1]);
  });

  it('is solved by its rule on every task, in one turn, and by nothing else', async () => {
    for (const task of tasks.slice(0, 60)) {
      const common = { planner: rulePlanner(flow), clock: systemClock, random: seededRandom(1) };
      const run = await runFlow({ flow, task, context: undefined, ...common });
      expect(run.failure).toBeUndefined();
      expect(run.steps).toHaveLength(1);
      expect(await flow.reward(task, JSON.parse(run.answerJson), undefined), task.id).toBe(1);
      for (const other of ['', 'track', `${task.call}.`, task.call.replace('(', ' (')])
        expect(await flow.reward(task, other, undefined)).toBe(0);
    }
  });
});
