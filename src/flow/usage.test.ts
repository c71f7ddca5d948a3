import fc from 'fast-check';
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VirtualClock } from '../clock/virtual.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { Agent, Purpose, RolloutRequestSchema, type TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';
import { defineFlow, ToolError, type FlowDefinition } from './define.ts';
import { runGroup } from './group.ts';
import { metered, splitUsage, usageProblem } from './usage.ts';

interface Memory {
  seen: unknown[];
}

/** Calls its only tool three times. */
function asking(run: (call: number, memory: Memory) => unknown): FlowDefinition<{ id: string }, Memory> {
  return defineFlow<{ id: string }, Memory>({
    name: 'asking',
    task: z.object({ id: z.string() }),
    load: () => ({ tasks: [{ id: 't' }] }),
    tools: {
      ask: {
        description: 'Asks.',
        input: z.number(),
        arguments: (memory) => memory.seen.length,
        run: (call: number, memory) => run(call, memory),
      },
    },
    features: {},
    remember: () => ({ seen: [] }),
    plan: () => ({ items: [], actions: [{ tool: 'ask' }] }),
    verify: (memory, { result, error }) => (memory.seen.push(error ?? result) === 3 ? 'stop' : 'continue'),
    answer: (memory) => memory.seen as string[],
    reward: () => 1,
  });
}

function group(run: (call: number, memory: Memory) => unknown, maxResamples = 3): Promise<TrajectoryGroup> {
  const clock = new VirtualClock();
  const request = create(RolloutRequestSchema, {
    id: 'job:0:t:0',
    job: 'job',
    purpose: Purpose.TRAIN,
    agent: Agent.RANDOM,
    taskId: 't',
    taskJson: '{"id":"t"}',
    groupSize: 1,
  });
  return clock.run(runGroup({ request, flow: asking(run), context: undefined, node: 'worker-1', maxResamples, clock }));
}

describe('what tools say they used', () => {
  it('is summed over the steps, wrong calls included, and the flow sees the results alone', async () => {
    const { trajectories } = await group(async (call) => {
      if (call === 1) throw new ToolError('unclear', { tokensIn: 5 });
      await Promise.resolve();
      return call === 2 ? 'plain' : metered('yes', { tokensIn: 100, tokensOut: 7, cost: 0.25 });
    });
    expect(trajectories[0]).toMatchObject({
      tokensIn: 105n,
      tokensOut: 7n,
      microDollars: 250_000n,
      answerJson: '["yes","unclear","plain"]',
    });
    expect(trajectories[0]!.planUs).toBeGreaterThanOrEqual(0n);
  });

  it('counts attempts that failed and were sampled again', async () => {
    let crashes = 2;
    const { trajectories } = await group((call) => {
      if (call === 1 && crashes-- > 0) throw new Error('down');
      return metered(call, { tokensOut: 10 });
    });
    expect(trajectories[0]).toMatchObject({ resamples: 2, tokensOut: 50n, failure: FailureClass.UNSPECIFIED });
  });

  it('crashes the tool when it is no number from 0, and names what is wrong', async () => {
    for (const usage of [{ cost: -1 }, { tokensIn: 1.5 }, { tokensOut: NaN }, { cost: 1_000_001 }, { model: 7 }, 7]) {
      const { trajectories } = await group(() => metered('x', usage as never), 0);
      expect(trajectories[0]).toMatchObject({
        failure: FailureClass.TOOL_CRASH,
        failureMessage: expect.stringMatching(/^tools\.ask\.run: usage/) as string,
      });
    }
  });
});

describe('metered', () => {
  it('gives any result back, and takes apart nothing else', () => {
    fc.assert(
      fc.property(fc.anything(), (result) => {
        expect(splitUsage(metered(result, { cost: 1 }))).toEqual({ result, usage: { cost: 1 } });
        expect(splitUsage(result)).toEqual({ result, usage: undefined });
      }),
    );
  });

  it('takes any sums', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.double({ min: 0, max: 1_000_000, noNaN: true }), (tokensIn, tokensOut, cost) => {
        expect(usageProblem({ tokensIn, tokensOut, cost })).toBeUndefined();
      }),
    );
    expect(usageProblem({})).toBeUndefined();
    expect(usageProblem(null)).toContain('usage must be');
  });
});
