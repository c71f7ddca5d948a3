import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { explorationSchema } from '../config/job/exploration.ts';
import { emptyState, type ExplorationState } from '../explore/state.ts';
import { Agent, Purpose, RolloutRequestSchema, type TrajectoryGroup } from '../gen/millrace/v1/training_pb.ts';
import { decodeExperience } from '../policy/experience.ts';
import { decodeObservation } from '../policy/planner/codec.ts';
import { plannerParts } from '../policy/planner/testing.ts';
import { contentActor, ContentPolicy, contentSpec } from './fixtures/content-policy.ts';
import { parcelFlow } from './fixtures/parcels.ts';
import { runGroup } from './group.ts';
import { MicroBatcher } from '../policy/inference/micro-batcher.ts';

const flow = parcelFlow({ bucket: ({ stamped }) => stamped.size });
const spec = contentSpec(flow);
const policy = new ContentPolicy(spec);
const GROUP = 12;

/** Leaving has been found to be useless wherever no parcel has a stamp. */
const known: ExplorationState = {
  ...emptyState(),
  arms: new Map([
    [
      0,
      new Map([
        [0, { good: 60, bad: 6, visits: 66, value: 0 }],
        [1, { good: 0, bad: 80, visits: 80, value: 0 }],
      ]),
    ],
  ]),
};

async function group(exploration: object, parts: { purpose?: Purpose; temperature?: number } = {}): Promise<TrajectoryGroup> {
  const clock = new VirtualClock();
  const request = create(RolloutRequestSchema, {
    id: 'job:0:t1:0',
    job: 'job',
    purpose: Purpose.TRAIN,
    agent: Agent.POLICY,
    taskJson: JSON.stringify({ id: 't1', parcels: ['a', 'b'] }),
    groupSize: GROUP,
    temperature: 1,
    seed: 4,
    ...parts,
  });
  const source = { acquire: () => ({ version: 3, policy: policy.acting, exploration: known, release: () => undefined }) };
  return clock.run(
    runGroup({
      request,
      flow,
      context: undefined,
      policy: { source, actor: contentActor(flow, spec), inference: new MicroBatcher({ clock }) },
      exploration: explorationSchema.parse(exploration),
      node: 'n',
      clock,
    }),
  );
}

/** What a learner makes of each decision: log-probability of the same action, over the support it was sent. */
function decisions(result: TrajectoryGroup): { recorded: number; learned: number; open: number; member: number }[] {
  const { texts, observations, decisions: members, temperature } = plannerParts(decodeExperience(result.experience));
  const tokens = texts.map((bytes) => new Int32Array(bytes.slice().buffer));
  const all = policy.logProbabilities({ texts: tokens, observations }, temperature);
  return members.flatMap(({ observation, action, logProbability }, member) =>
    observation.map((at, step) => ({
      recorded: logProbability[step]!,
      learned: all[at]![action[step]!]!,
      open: decodeObservation(observations[at]!, spec).actions.length,
      member,
    })),
  );
}

describe('a group that explores', () => {
  it('leaves a trace of nothing where nothing is on', async () => {
    const [plain, off] = [await group({}), await group({ loopPenalty: 9, buckets: 3 })];
    expect(off.experience).toEqual(plain.experience);
    expect(off.trajectories.some(({ explored, signals }) => explored || signals !== undefined)).toBe(false);
    for (const { recorded, learned } of decisions(off)) expect(recorded).toBeCloseTo(learned, 6);
  });

  it('closes actions for the learner too: log-probabilities are over the same support', async () => {
    const result = await group({ pruning: { enabled: true, revisit: 0 }, loops: 'mask' });
    const all = decisions(result);
    expect(new Set(all.map(({ open }) => open)).size).toBeGreaterThan(1);
    for (const { recorded, learned } of all) expect(recorded).toBeCloseTo(learned, 6);
    // Nobody leaves before there is a stamp, and nobody stamps in vain in the very same situation twice.
    for (const { answerJson, signals } of result.trajectories) {
      const { log } = JSON.parse(answerJson) as { log: string[] };
      expect(log[0]).toContain('stamp');
      expect(signals!.bucket).toHaveLength(log.length);
      expect(signals!.bucket[0]).toBe(0);
      expect(signals!.tool).toEqual(log.map((line) => (line.includes('stamp') ? 0 : 1)));
      const inVain = log.filter((line) => line.endsWith('!')).map((line) => line.slice(line.indexOf(':')));
      expect(new Set(inVain).size).toBeGreaterThanOrEqual(inVain.length - 2);
    }
  });

  it('records what was sampled from, and marks who was forced', async () => {
    const epsilon = 0.4;
    const result = await group({ forced: { share: 0.25, epsilon } });
    expect(result.trajectories.map(({ explored }) => explored)).toEqual(Array.from({ length: GROUP }, (_, i) => i >= GROUP - 3));
    for (const { recorded, learned, open, member } of decisions(result)) {
      const mixed = member >= GROUP - 3 ? Math.log((1 - epsilon) * Math.exp(learned) + epsilon / open) : learned;
      expect(recorded).toBeCloseTo(mixed, 5);
    }
  });

  it('never explores when it is measured', async () => {
    const everything = { forced: { share: 0.5 }, pruning: { enabled: true }, thompson: { mix: 0.5 }, loops: 'mask' };
    const measured = await group(everything, { purpose: Purpose.EVALUATE, temperature: 0 });
    const plain = await group({}, { purpose: Purpose.EVALUATE, temperature: 0 });
    expect(measured.trajectories.map(({ answerJson }) => answerJson)).toEqual(
      plain.trajectories.map(({ answerJson }) => answerJson),
    );
    expect(measured.trajectories.some(({ explored, signals }) => explored || signals !== undefined)).toBe(false);
  });
});
