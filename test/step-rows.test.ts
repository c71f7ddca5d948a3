import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSerial, type SerialResult } from '../cluster/serial/index.ts';
import { leaveOneOutReturnsToGo, returnsToGo } from '../src/algo/credit/return-to-go.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { isToolError } from '../src/flow/failure.ts';
import { loadFlow } from '../src/flow/load.ts';
import { textOf } from '../src/flow/record-text.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import type { StepRow, TrajectoryRow } from '../src/records/tables.ts';
import { temporaryFolder } from './support/thermostat.ts';

const JOB = fileURLToPath(new URL('../examples/retail/job.yaml', import.meta.url));
const SMALL = [
  ...[
    'source.users=60',
    'source.tasks=60',
    'rounds=4',
    'evaluation.every=4',
    'evaluation.baselines=false',
    'evaluation.test=false',
  ],
  ...['policy.hidden=16', 'evaluation.samples=0'],
];
const { config } = loadJobConfig(JOB, { overrides: SMALL });

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let result: SerialResult;
/** Steps of each trajectory, in their order. */
let trajectories: Map<string, Required<StepRow>[]>;

beforeAll(async () => {
  folder = await temporaryFolder();
  result = await runSerial(config, { stateDir: folder.path });
  trajectories = new Map();
  for (const row of result.store.rows('steps') as unknown as Required<StepRow>[])
    trajectories.set(row.trajectory_id, [...(trajectories.get(row.trajectory_id) ?? []), row]);
  for (const steps of trajectories.values()) steps.sort((a, b) => a.step - b.step);
}, 60_000);
afterAll(() => folder.remove());

/** The states before and after each step, as view `step_states` has them. */
function statesOf(steps: readonly Required<StepRow>[]): [before: unknown, after: unknown][] {
  let state = steps[0]!.state_before;
  return steps.map(({ state_after }) => {
    const before = state;
    if (state_after !== '') state = state_after;
    return [JSON.parse(before), JSON.parse(state)];
  });
}

describe('the rows of steps of a training', () => {
  it('are enough to take a trajectory again: the flow sees, does and gets the same', async () => {
    expect([result.job.state, result.job.error]).toEqual([JobState.SUCCEEDED, '']);
    expect(trajectories.size).toBeGreaterThan(100);
    const flow = await loadFlow(config.flow);
    const { tasks, context } = await flow.load({ data: undefined, options: config.source, seed: config.seed });
    const byId = new Map((tasks as { id: string }[]).map((task) => [task.id, task]));
    for (const steps of trajectories.values()) {
      const memory = flow.remember(byId.get(steps[0]!.task_id)!, context);
      const observed = (): unknown => JSON.parse(JSON.stringify(flow.observe!(memory)));
      const states = statesOf(steps);
      for (const [step, row] of steps.entries()) {
        expect(row.step).toBe(step);
        expect(states[step]![0]).toEqual(observed());
        const { actions } = flow.plan(memory);
        const names = actions.map(({ tool, items = [] }) => (items.length === 0 ? tool : `${tool}(${items.join(', ')})`));
        expect(row.open_actions).toBe(actions.length);
        expect(names).toEqual(expect.arrayContaining([...row.other_actions]));
        expect(names).toContain(row.items.length === 0 ? row.tool : `${row.tool}(${row.items.join(', ')})`);
        const tool = flow.tools[row.tool]!;
        const items = [...row.items];
        const outcome = { tool: row.tool, items, step };
        try {
          const input: unknown = tool.arguments(memory, ...items);
          expect(row.arguments).toBe(textOf(input));
          const answer: unknown = tool.run(input, memory, new AbortController().signal);
          expect([row.error, row.result]).toEqual([false, textOf(answer)]);
          flow.verify(memory, { ...outcome, result: answer });
        } catch (thrown) {
          if (!isToolError(thrown)) throw thrown;
          expect([row.error, row.result]).toEqual([true, thrown.message]);
          flow.verify(memory, { ...outcome, error: thrown.message });
        }
        expect(states[step]![1]).toEqual(observed());
      }
    }
  });

  it('store a state only where it changes', () => {
    const all = [...trajectories.values()].flat();
    expect(all.every(({ step, state_before }) => (state_before === '') === step > 0)).toBe(true);
    const changes = all.filter(({ state_after }) => state_after !== '').length;
    expect(changes).toBeGreaterThan(all.length / 10);
    expect(changes).toBeLessThan(all.length);
  });

  it('have the probabilities of the likeliest actions, which with the rest add up to one', () => {
    for (const { log_probability, other_probabilities, open_actions, other_actions } of [...trajectories.values()].flat()) {
      const others = [...other_probabilities];
      expect(other_actions).toHaveLength(Math.min(8, open_actions - 1));
      expect(others).toEqual([...others].sort((a, b) => b - a));
      const sum = others.reduce((a, b) => a + b, Math.exp(log_probability));
      expect(sum).toBeLessThan(1.001);
      // Of those that are not named none is likelier than the last one that is.
      expect(sum + (open_actions - 1 - others.length) * (others.at(-1)! + 0.0001)).toBeGreaterThan(0.999);
    }
  });

  it('have rewards that add up to that of the trajectory, and the advantages that follow from those of the group', () => {
    const rows = result.store.rows('trajectories') as unknown as TrajectoryRow[];
    const groups = new Map<string, TrajectoryRow[]>();
    for (const row of rows) groups.set(row.request_id, [...(groups.get(row.request_id) ?? []), row]);
    let checked = 0;
    for (const group of groups.values()) {
      const stepsOf = group.map(({ trajectory_id }) => trajectories.get(trajectory_id) ?? []);
      const rewards = stepsOf.map((steps) => steps.map(({ step_reward }) => step_reward!));
      for (const [i, { reward }] of group.entries()) expect(rewards[i]!.reduce((a, b) => a + b, 0)).toBeCloseTo(reward, 4);
      const advantages = stepsOf.map((steps) => steps.map(({ advantage }) => advantage));
      if (group[0]!.purpose === 'evaluate') expect(new Set(advantages.flat())).toEqual(new Set([null]));
      else if (group[0]!.verdict !== 'signal') expect(new Set(advantages.flat())).toEqual(new Set([0]));
      else {
        checked += 1;
        const returns = rewards.map((of) => returnsToGo(of, 0.9)[0] ?? 0);
        const mean = returns.reduce((a, b) => a + b, 0) / returns.length;
        const deviation = Math.sqrt(returns.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (returns.length - 1));
        const wanted = leaveOneOutReturnsToGo(rewards, { gamma: 0.9 }).map((of) => of.map((value) => value / deviation));
        for (const [i, of] of wanted.entries())
          for (const [t, value] of of.entries())
            expect(Math.abs(advantages[i]![t]! - value)).toBeLessThan(0.02 * Math.abs(value) + 1e-3);
      }
    }
    expect(checked).toBeGreaterThan(2);
  });

  it('can be joined with the job and its checkpoints', () => {
    const { store, job } = result;
    expect(store.rows('training_jobs')).toMatchObject([
      { job: job.id, state: 'SUCCEEDED', method: 'grpo', rounds: 4, checkpoints: [4] },
    ]);
    expect(store.rows('policy_checkpoints')).toMatchObject([{ job: job.id, version: 4 }]);
  });
});
