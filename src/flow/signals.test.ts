import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { Agent, Purpose, RolloutRequestSchema, type TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';
import type { FlowDefinition } from './define.ts';
import { parcelFlow, type ParcelBehaviour, type ParcelMemory, type ParcelTask } from './fixtures/parcels.ts';
import { runGroup } from './group.ts';
import type { SignalNeeds } from './signals.ts';

type Flow = FlowDefinition<ParcelTask, ParcelMemory>;

const ALL: SignalNeeds = { steps: true, potential: true };
/** A stamp that was made is confirmed; the potential is the share of stamped parcels. */
const verify: Flow['verify'] = (_, { tool, error }) =>
  tool === 'leave' ? 'stop' : { next: 'continue', verified: error === undefined };
const potential: Flow['potential'] = ({ parcels, stamped }) => stamped.size / parcels.length;
/** Stamps the first parcel twice: the second time is an error. */
const rule: Flow['rule'] = ({ stamped, log }) => [0, 0, 1, 2][log.length] ?? stamped.size;

function run(behaviour: ParcelBehaviour, signals?: SignalNeeds, purpose = Purpose.TRAIN): Promise<TrajectoryGroup> {
  const flow = parcelFlow({
    ...behaviour,
    verify: (memory, outcome) => {
      memory.log.push(outcome.tool);
      return (behaviour.verify ?? verify)(memory, outcome);
    },
  });
  const clock = new VirtualClock();
  const request = create(RolloutRequestSchema, {
    id: 'job:0:t:0',
    purpose,
    agent: Agent.RULE,
    taskJson: '{"id":"t","parcels":["a","b"]}',
    groupSize: 1,
    seed: 1,
  });
  return clock.run(runGroup({ request, flow, context: undefined, node: 'n', clock, maxResamples: 0, signals }));
}

describe('signals of steps', () => {
  it('say what came of each step', async () => {
    const [trajectory] = (await run({ potential, rule }, ALL)).trajectories;
    expect(trajectory!.failure).toBe(FailureClass.UNSPECIFIED);
    expect(trajectory!.signals).toMatchObject({
      tool: [0, 0, 0, 1],
      error: [false, true, false, false],
      verified: [true, false, true, false],
      potential: [0, 0.5, 0.5, 1],
    });
  });

  it('hold only what is needed', async () => {
    const one = async (signals?: SignalNeeds, purpose?: Purpose): Promise<unknown> =>
      (await run({ potential, rule }, signals, purpose)).trajectories[0]!.signals;
    expect(await one({ steps: true, potential: false })).toMatchObject({ tool: { length: 4 }, potential: [] });
    expect(await one({ steps: false, potential: true })).toMatchObject({ tool: [], verified: [], potential: { length: 4 } });
    expect(await one({ steps: false, potential: false })).toBeUndefined();
    expect(await one()).toBeUndefined();
    expect(await one(ALL, Purpose.EVALUATE)).toBeUndefined();
  });

  it('cost nothing when they are not needed: the flow is not asked', async () => {
    let asked = 0;
    const counting: Flow['potential'] = () => asked++;
    await run({ potential: counting, rule }, { steps: true, potential: false });
    expect(asked).toBe(0);
    await run({ potential: counting, rule }, ALL);
    expect(asked).toBe(4);
  });

  it('stay what they were where verify says continue and stop', async () => {
    const plain: Flow['verify'] = (_, { tool }) => (tool === 'leave' ? 'stop' : 'continue');
    const [trajectory] = (await run({ verify: plain, rule }, { steps: true, potential: false })).trajectories;
    expect(trajectory).toMatchObject({ steps: 4, signals: { verified: [false, false, false, false] } });
    const stops = await run({ verify: () => ({ next: 'stop', verified: true }), rule }, ALL);
    expect(stops.trajectories[0]!.failureMessage).toMatch(/^potential: must be a finite number, got undefined/);
    const ended = await run({ verify: () => ({ next: 'stop', verified: true }), rule }, { steps: true, potential: false });
    expect(ended.trajectories[0]).toMatchObject({ steps: 1, signals: { verified: [true] } });
  });

  it.each<[string, ParcelBehaviour, RegExp]>([
    ['a potential that throws', { potential: () => JSON.parse('{') as number }, /^potential: SyntaxError/],
    ['a potential that is NaN', { potential: () => NaN }, /^potential: must be a finite number, got NaN/],
    ['a potential too large', { potential: () => 1e300 }, /^potential: must be a finite number, got 1e\+300/],
    ['an asynchronous potential', { potential: (() => Promise.resolve(1)) as never }, /^potential: returned a promise/],
    [
      'a verification without next',
      { potential, verify: (() => ({ verified: true })) as never },
      /^verify: must return .* got an object/,
    ],
    [
      'another next',
      { potential, verify: (() => ({ next: 'go' })) as never },
      /^verify: next must be 'continue' or 'stop', got go/,
    ],
    [
      'verified that is no truth value',
      { potential, verify: (() => ({ next: 'stop', verified: 1 })) as never },
      /^verify: verified must be true or false, got 1/,
    ],
  ])('%s is a crash of the flow', async (_, behaviour, message) => {
    const [trajectory] = (await run({ rule, ...behaviour }, ALL)).trajectories;
    expect(trajectory).toMatchObject({
      failure: FailureClass.FLOW_CRASH,
      failureMessage: expect.stringMatching(message) as string,
    });
  });
});
