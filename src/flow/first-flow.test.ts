import { create } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../clock/system.ts';
import { jobConfigSchema } from '../config/job.ts';
import { Agent, Purpose, RolloutRequestSchema } from '../gen/millrace/v1/training_pb.ts';
import { scoreGroup } from '../reward/score.ts';
import { loadTasks } from '../tasks/load.ts';
import { runGroup } from './group.ts';
import { loadFlow } from './load.ts';

const folder = fileURLToPath(new URL('../../docs/first-flow/', import.meta.url));

describe('the first flow of the docs', () => {
  const source = readFileSync(`${folder}flow.ts`, 'utf8');
  const config = jobConfigSchema.parse(parse(readFileSync(`${folder}job.yaml`, 'utf8')));

  it('has fewer than 100 lines and uses the public API only', () => {
    expect(source.split('\n').length - 1).toBeLessThan(100);
    expect(source.match(/from '.*'/g)).toEqual(["from 'millrace'"]);
    expect(config.flow).toBe('./flow.ts');
  });

  it('runs: its rule always succeeds, chance hardly ever, every trajectory is valid', async () => {
    const flow = await loadFlow(`${folder}flow.ts`);
    const { tasks, context } = await loadTasks(flow, { seed: config.seed, options: config.source });
    expect(tasks).toHaveLength(200);
    const success = async (agent: Agent): Promise<number> => {
      let [successes, flows] = [0, 0];
      for (const { id, task } of tasks) {
        const parts = { id, taskId: id, taskJson: JSON.stringify(task), job: 'docs', groupSize: 2, seed: 1 };
        const request = create(RolloutRequestSchema, { ...parts, agent, purpose: Purpose.EVALUATE });
        const group = await runGroup({ request, flow, context, node: 'n', clock: systemClock });
        const { scores } = await scoreGroup(group, { flow, context, algorithm: config.algorithm, node: 'n', clock: systemClock });
        expect(scores.every((score) => score.valid)).toBe(true);
        successes += scores.filter((score) => score.success).length;
        flows += scores.length;
      }
      return successes / flows;
    };
    expect(await success(Agent.RULE)).toBe(1);
    expect(await success(Agent.NOTHING)).toBeLessThan(0.1);
    expect(await success(Agent.RANDOM)).toBeLessThan(0.15);
  });
});
