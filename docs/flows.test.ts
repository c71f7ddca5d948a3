import { create } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock/system.ts';
import { loadJobConfig } from '../src/config/load.ts';
import { loadFlow } from '../src/flow/load.ts';
import { runGroup } from '../src/flow/group.ts';
import { Agent, Purpose, RolloutRequestSchema } from '../src/gen/millrace/v1/training_pb.ts';
import { scoreGroup } from '../src/reward/score.ts';
import { loadTasks } from '../src/tasks/load.ts';

/** Share of successes of one agent over all tasks of the flow in a folder of docs/; every trajectory must be valid. */
async function runner(folder: string): Promise<{ tasks: number; hasRule: boolean; success: (agent: Agent) => Promise<number> }> {
  const { config } = loadJobConfig(`${folder}job.yaml`);
  const flow = await loadFlow(`${folder}flow.ts`);
  const { tasks, context } = await loadTasks(flow, { clock: systemClock, seed: config.seed, options: config.source });
  const success = async (agent: Agent): Promise<number> => {
    const outcomes: boolean[] = [];
    for (const { id, json } of tasks) {
      const parts = { id, taskId: id, taskJson: json, job: 'docs', groupSize: 2, seed: 1 };
      const request = create(RolloutRequestSchema, { ...parts, agent, purpose: Purpose.EVALUATE });
      const group = await runGroup({ request, flow, context, node: 'n', clock: systemClock });
      const { scores } = await scoreGroup(group, { flow, context, algorithm: config.algorithm, node: 'n', clock: systemClock });
      expect(scores.every((score) => score.valid)).toBe(true);
      outcomes.push(...scores.map((score) => score.success));
    }
    return outcomes.filter(Boolean).length / outcomes.length;
  };
  return { tasks: tasks.length, hasRule: flow.rule !== undefined, success };
}

/** The most lines of each, and by how much chance and doing nothing may succeed: without any success there would be nothing to learn from. */
describe.each([
  { name: 'first-flow', lines: 100, tasks: 200, chance: [0, 0.15], nothing: 0.1 },
  { name: 'template', lines: 70, tasks: 100, chance: [0.01, 0.5], nothing: 0.15 },
  { name: 'shortest-flow', lines: 45, tasks: 100, chance: [0.01, 0.5], nothing: 0.15 },
])('the flow docs/$name', ({ name, lines, tasks, chance: [least, most], nothing }) => {
  const folder = fileURLToPath(new URL(`${name}/`, import.meta.url));

  it('is short and uses the public API only', () => {
    const source = readFileSync(`${folder}flow.ts`, 'utf8');
    expect(source.split('\n').length - 1).toBeLessThan(lines);
    expect(source.match(/from '.*'/g)).toEqual(["from 'millrace'"]);
  });

  it('runs: chance succeeds rarely, the rule always, every trajectory is valid', async () => {
    const flow = await runner(folder);
    expect(flow.tasks).toBe(tasks);
    const byChance = await flow.success(Agent.RANDOM);
    expect(byChance).toBeGreaterThanOrEqual(least!);
    expect(byChance).toBeLessThan(most!);
    expect(await flow.success(Agent.NOTHING)).toBeLessThan(nothing);
    expect(flow.hasRule ? await flow.success(Agent.RULE) : 1).toBe(1);
  });
});

describe('the agent docs/agent', () => {
  const file = fileURLToPath(new URL('agent/agent.ts', import.meta.url));

  it('is done by its rule, and by chance without a failure', async () => {
    const flow = await loadFlow(file);
    const { tasks, context } = await loadTasks(flow, { clock: systemClock, seed: 1, options: {} });
    expect(tasks).toHaveLength(200);
    const { algorithm } = loadJobConfig(fileURLToPath(new URL('template/job.yaml', import.meta.url))).config;
    for (const agent of [Agent.RULE, Agent.RANDOM])
      for (const { id, json } of tasks.slice(0, 20)) {
        const parts = { id, taskId: id, taskJson: json, job: 'docs', groupSize: 1, seed: 1 };
        const request = create(RolloutRequestSchema, { ...parts, agent, purpose: Purpose.EVALUATE });
        const group = await runGroup({ request, flow, context, node: 'n', clock: systemClock });
        const { scores } = await scoreGroup(group, { flow, context, algorithm, node: 'n', clock: systemClock });
        expect(scores).toMatchObject([{ valid: true, success: agent === Agent.RULE }]);
      }
  });

  it('uses the public API only', () => {
    expect(readFileSync(file, 'utf8').match(/from '.*'/g)).toEqual(["from 'millrace'"]);
  });
});
