import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../clock/virtual.ts';
import { FailureClass, Termination } from '../gen/millrace/v1/flow_pb.ts';
import {
  Agent,
  Purpose,
  RequestTaskSchema,
  RolloutRequestSchema,
  type RequestTask,
  type RolloutRequest,
  type TrajectoryGroup,
} from '../gen/millrace/v1/training_pb.ts';
import { decodeExperience } from '../policy/experience.ts';
import { plannerParts } from '../policy/planner/testing.ts';
import { seededRandom } from '../random/seeded.ts';
import { packRows, unpackRows } from '../records/pack.ts';
import { TABLES } from '../records/tables.ts';
import { contentActor, ContentPolicy, contentSpec } from './fixtures/content-policy.ts';
import { parcelFlow, type ParcelBehaviour } from './fixtures/parcels.ts';
import { runGroup, type GroupOptions } from './group.ts';
import { MicroBatcher } from '../policy/inference/micro-batcher.ts';
import { fixedPolicy, type PolicySource } from './policies.ts';

const TASK = { id: 't1', parcels: ['a', 'b'] };
let clock: VirtualClock;
beforeEach(() => void (clock = new VirtualClock()));

type Parts = Partial<
  Pick<
    RolloutRequest,
    'groupSize' | 'seed' | 'temperature' | 'purpose' | 'agent' | 'evaluation' | 'taskJson' | 'pinned' | 'tasks'
  >
>;

function request(parts: Parts = {}): RolloutRequest {
  return create(RolloutRequestSchema, {
    id: 'job:0:t1:0',
    job: 'job',
    purpose: Purpose.TRAIN,
    agent: Agent.POLICY,
    taskId: 't1',
    taskJson: JSON.stringify(TASK),
    groupSize: 8,
    policyVersion: 3,
    temperature: 1,
    seed: 11,
    ...parts,
  });
}

function group(
  parts: Parts = {},
  behaviour: ParcelBehaviour = {},
  options: Partial<GroupOptions<never, never>> & { source?: PolicySource } = {},
): Promise<TrajectoryGroup> {
  const flow = parcelFlow(behaviour);
  const spec = contentSpec(flow);
  const { source = fixedPolicy(new ContentPolicy(spec).acting, 3), ...rest } = options;
  const policy = { source, actor: contentActor(flow, spec), inference: new MicroBatcher({ clock }) };
  const base = { request: request(parts), flow, context: undefined, node: 'worker-1', clock };
  return clock.run(runGroup({ policy, ...base, ...(rest as object) }));
}

/** Rows of table `steps` by column name. */
function stepRows({ stepRows }: TrajectoryGroup): Record<string, unknown>[] {
  const lines = Buffer.from(unpackRows(stepRows)).toString().trim().split('\n');
  return lines.map((line) =>
    Object.fromEntries((JSON.parse(line) as unknown[]).map((value, i) => [TABLES.steps.columns[i]!, value])),
  );
}

/** What must not depend on time. */
const content = ({ trajectories, experience }: TrajectoryGroup) => ({
  trajectories: trajectories.map(({ answerJson, steps, resamples }) => ({ answerJson, steps, resamples })),
  experience: Buffer.from(experience).toString('base64'),
});

describe('runGroup', () => {
  it('runs the members and says what happened to each', async () => {
    const result = await group();
    expect(result).toMatchObject({ node: 'worker-1', policyVersion: 3, request: { id: 'job:0:t1:0' } });
    expect(result.trajectories.map(({ id, index }) => [id, index])).toEqual(
      Array.from({ length: 8 }, (_, i) => [`job:0:t1:0:${i}`, i]),
    );
    for (const trajectory of result.trajectories) {
      expect(trajectory).toMatchObject({ failure: FailureClass.UNSPECIFIED, resamples: 0, policyVersion: 3 });
      expect([Termination.DONE, Termination.STEP_LIMIT]).toContain(trajectory.termination);
      expect(trajectory.steps).toBe((JSON.parse(trajectory.answerJson) as { log: string[] }).log.length);
    }
    expect(new Set(result.trajectories.map((trajectory) => trajectory.answerJson)).size).toBeGreaterThan(1);
  });

  it('keeps rows and experience of every decision, and they agree', async () => {
    const result = await group();
    const experience = plannerParts(decodeExperience(result.experience));
    const rows = stepRows(result);
    expect(experience.decisions.map((d) => d.action.length)).toEqual(result.trajectories.map((t) => t.steps));
    expect(rows).toHaveLength(result.trajectories.reduce((sum, t) => sum + t.steps, 0));
    const decisions = experience.decisions.flatMap((d) => d.logProbability);
    rows.forEach((row, i) => expect(row['log_probability']).toBeCloseTo(decisions[i]!, 6));
    expect(rows[0]).toMatchObject({
      job: 'job',
      task_id: 't1',
      purpose: 'train',
      evaluation: '',
      policy_version: 3,
      step: 0,
      open_actions: 3,
    });
    expect(rows[0]!['state_flags_base64']).toBe(Buffer.from(Float32Array.of(2).buffer).toString('base64'));
    // Everyone starts in the same situation.
    expect(new Set(experience.decisions.map((d) => d.observation[0]))).toEqual(new Set([0]));
  });

  it('gives the same trajectories again, alone or among others, and other ones for another seed', async () => {
    const first = content(await group());
    expect(content(await group())).toEqual(first);
    const fewer = content(await group({ groupSize: 3 }));
    expect(fewer.trajectories).toEqual(first.trajectories.slice(0, 3));
    expect(content(await group({ seed: 12 })).trajectories).not.toEqual(first.trajectories);
  });

  it('gives the same trajectories when tools take their time', async () => {
    let calls = 0;
    const stamp: ParcelBehaviour['stamp'] = async ({ parcel }, memory) => {
      await clock.sleep((calls++ * 7) % 5);
      memory.stamped.add(parcel);
      return memory.stamped.size;
    };
    const sync: ParcelBehaviour['stamp'] = ({ parcel }, memory) => memory.stamped.add(parcel).size;
    expect(content(await group({}, { stamp }))).toEqual(content(await group({}, { stamp: sync })));
  });

  it('cuts texts until the rows fit into a message, and keeps every row', async () => {
    const random = seededRandom(1);
    const stamp: ParcelBehaviour['stamp'] = () => Array.from({ length: 4000 }, () => random.integer(36).toString(36)).join('');
    const result = await group({ groupSize: 64 }, { stamp });
    const rows = stepRows(result);
    expect(rows).toHaveLength(result.trajectories.reduce((sum, t) => sum + t.steps, 0));
    expect(packRows(result.stepRows).length).toBeLessThanOrEqual(400_000);
    const longest = Math.max(...rows.map((row) => (row['result'] as string).length));
    expect([1000, 250]).toContain(longest);
    expect(longest * rows.length).toBeGreaterThan(50_000);
  });

  it('cuts no texts that fit once they are packed, and shortens states to JSON where they do not', async () => {
    const same = stepRows(await group({ groupSize: 64 }, { stamp: () => 'long '.repeat(800) }));
    expect(Math.max(...same.map((row) => (row['result'] as string).length))).toBe(4000);
    const random = seededRandom(1);
    const observe = (): number[] => Array.from({ length: 2000 }, () => random.uniform());
    const states = stepRows(await group({ groupSize: 64 }, { observe }, { stateBytes: 30_000 })).map((row) => row['state_after']);
    const lengths = states.map((state) => (JSON.parse(state as string) as unknown[]).length);
    expect([Math.min(...lengths) > 5, Math.max(...lengths) < 250]).toEqual([true, true]);
  });

  it('records what else was open, what the flow showed and whether a step was verified', async () => {
    const verify: ParcelBehaviour['verify'] = (_, { tool }) => ({
      next: tool === 'leave' ? 'stop' : 'continue',
      verified: tool === 'stamp',
    });
    const rows = stepRows(await group({}, { verify }, { stateBytes: 500 }));
    for (const row of rows) {
      const [log, others] = [row['log_probability'] as number, row['other_probabilities'] as number[]];
      expect(row['other_actions']).toHaveLength(2);
      expect(row['other_actions']).not.toContain(row['tool'] === 'leave' ? 'leave' : `stamp(${String(row['items'])})`);
      expect(Math.exp(log) + others[0]! + others[1]!).toBeCloseTo(1, 3);
      expect(row['verified']).toBe(row['tool'] === 'stamp');
      expect(row['state_before'] !== '').toBe(row['step'] === 0);
    }
    expect(JSON.parse(rows[0]!['state_before'] as string)).toMatchObject({ text: 'stamp a b', flags: { left: 2 } });
  });

  it('is greedy at temperature 0: all members do the same', async () => {
    const result = await group({ temperature: 0, purpose: Purpose.EVALUATE, evaluation: 'trained@3', groupSize: 3 });
    expect(new Set(result.trajectories.map((trajectory) => trajectory.answerJson)).size).toBe(1);
    expect(result.experience).toHaveLength(0);
    expect(stepRows(result)[0]).toMatchObject({ purpose: 'evaluate', evaluation: 'trained@3' });
  });

  it('runs several tasks, each as it runs alone; one that is no task fails alone', async () => {
    const taskOf = (taskId: string, seed: number, json: string): RequestTask =>
      create(RequestTaskSchema, { taskId, taskJson: json, seed, sequence: BigInt(seed) });
    const json = (id: string): string => JSON.stringify({ ...TASK, id });
    const tasks = [taskOf('t1', 5, json('t1')), taskOf('broken', 6, '{}'), taskOf('t2', 7, json('t2'))];
    const measured = { purpose: Purpose.EVALUATE, evaluation: 'sampled@3' };
    const together = await group({ ...measured, tasks, groupSize: 6 });
    for (const [at, { seed, taskJson }] of [tasks[0]!, tasks[2]!].entries()) {
      const alone = await group({ ...measured, seed, taskJson, groupSize: 2 });
      const own = together.trajectories.slice(at * 4, at * 4 + 2);
      expect(own.map(({ answerJson }) => answerJson)).toEqual(alone.trajectories.map(({ answerJson }) => answerJson));
    }
    expect(together.trajectories.map(({ failure }) => FailureClass[failure])).toEqual(
      ['UNSPECIFIED', 'INVALID_TASK', 'UNSPECIFIED'].flatMap((name) => [name, name]),
    );
    const rows = stepRows(together).map((row) => `${String(row['trajectory_id']).slice(-1)} ${String(row['task_id'])}`);
    expect([...new Set(rows)]).toEqual(['0 t1', '1 t1', '4 t2', '5 t2']);
  });

  it.each([
    [Agent.RULE, '{"stamped":[0,1],"log":["0:stamp(0)","1:stamp(1)","2:leave()"]}'],
    [Agent.NOTHING, '{"stamped":[],"log":[]}'],
  ])('lets agent %i decide without a policy', async (agent, answerJson) => {
    const result = await group({ agent, purpose: Purpose.EVALUATE, groupSize: 2 }, {}, { policy: undefined });
    expect(result.trajectories).toMatchObject([{ answerJson }, { answerJson }]);
    expect(result.experience).toHaveLength(0);
  });
});

describe('failures in a group', () => {
  it('are sampled again with other random numbers, and counted', async () => {
    const failing = new Set<number>();
    let attempt = 0;
    const result = await group(
      { groupSize: 4 },
      {
        remember: (task) => {
          if (++attempt <= 3) {
            failing.add(attempt);
            throw new Error('no memory left');
          }
          return { parcels: task.parcels, stamped: new Set(), log: [] };
        },
      },
    );
    expect(result.trajectories.every((t) => t.failure === FailureClass.UNSPECIFIED)).toBe(true);
    expect(result.trajectories.reduce((sum, t) => sum + t.resamples, 0)).toBe(3);
    const clean = await group({ groupSize: 4 });
    const resampled = result.trajectories.findIndex((t) => t.resamples > 0);
    const decisions = (g: TrajectoryGroup) => plannerParts(decodeExperience(g.experience)).decisions.map((d) => d.action.join());
    expect(decisions(result)[resampled]).not.toBe(decisions(clean)[resampled]);
  });

  it('stay failures past the cap, without decisions, beside healthy siblings', async () => {
    let flows = 0;
    const result = await group(
      { groupSize: 3 },
      {
        remember: (task) => ({ parcels: task.parcels, stamped: new Set(), log: flows++ % 3 === 1 ? ['bad'] : [] }),
        stamp: (_, memory) => {
          if (memory.log[0] === 'bad') throw new Error('stamp broke');
          return 1;
        },
        maxSteps: () => 40,
      },
      { maxResamples: 0 },
    );
    const bad = result.trajectories[1]!;
    expect(bad).toMatchObject({
      failure: FailureClass.TOOL_CRASH,
      termination: Termination.UNSPECIFIED,
      answerJson: '',
      resamples: 0,
    });
    expect(bad.failureMessage).toMatch(/^tools\.stamp\.run: Error: stamp broke/);
    const { decisions } = plannerParts(decodeExperience(result.experience));
    expect(decisions[1]!.action).toHaveLength(0);
    expect(decisions[0]!.action.length).toBe(result.trajectories[0]!.steps);
  });

  it('stop after maxResamples', async () => {
    let runs = 0;
    const result = await group(
      { groupSize: 1 },
      {
        answer: () => {
          runs += 1;
          throw new Error('no');
        },
      },
      { maxResamples: 2 },
    );
    expect([runs, result.trajectories[0]!.resamples]).toEqual([3, 2]);
    expect(result.trajectories[0]!.failure).toBe(FailureClass.FLOW_CRASH);
  });

  it('of the task are not tried again', async () => {
    const result = await group({ taskJson: '{"id":"t1","parcels":"a"}' });
    expect(result.trajectories).toHaveLength(8);
    expect(result.trajectories[0]).toMatchObject({ failure: FailureClass.INVALID_TASK, resamples: 0 });
    expect(result.trajectories[0]!.failureMessage).toMatch(/^task t1: field parcels: expected a list \(got "a"\)/);
    expect((await group({ taskJson: '{' })).trajectories[0]!.failureMessage).toMatch(/not JSON/);
  });

  it('of the policy: no weights, or a broken evaluation', async () => {
    const source: PolicySource = { acquire: () => Promise.reject(new Error('version 3 did not arrive')) };
    expect((await group({}, {}, { source })).trajectories[0]).toMatchObject({
      failure: FailureClass.POLICY_UNAVAILABLE,
      failureMessage: 'version 3 did not arrive',
    });
    const spec = contentSpec(parcelFlow());
    const broken = new ContentPolicy(spec);
    broken.logProbabilities = (batch) => batch.observations.map(() => Float32Array.of(NaN, NaN, NaN));
    const result = await group({}, {}, { source: fixedPolicy(broken.acting, 3), maxResamples: 1 });
    expect(result.trajectories[0]).toMatchObject({ failure: FailureClass.POLICY_UNAVAILABLE, resamples: 1 });
  });
});

describe('the policy of a group', () => {
  it('is taken at the start of each flow and given back at its end', async () => {
    const spec = contentSpec(parcelFlow());
    let [next, out] = [5, 0];
    const asked: unknown[] = [];
    const source: PolicySource = {
      acquire: (version, pinned) => {
        asked.push([version, pinned]);
        out += 1;
        return { version: next++, policy: new ContentPolicy(spec, next).acting, release: () => void (out -= 1) };
      },
    };
    const result = await group({ groupSize: 3, pinned: true }, {}, { source });
    expect(asked).toEqual([
      [3, true],
      [3, true],
      [3, true],
    ]);
    expect(result.trajectories.map((t) => t.policyVersion)).toEqual([5, 6, 7]);
    expect([result.policyVersion, out]).toEqual([5, 0]);
  });

  it('is given back when the group is stopped, which publishes nothing', async () => {
    const spec = contentSpec(parcelFlow());
    const abort = new AbortController();
    let out = 0;
    const source: PolicySource = {
      acquire: () => ((out += 1), { version: 1, policy: new ContentPolicy(spec).acting, release: () => void (out -= 1) }),
    };
    const stamp: ParcelBehaviour['stamp'] = () => clock.sleep(1000);
    const running = group({}, { stamp }, { source, signal: abort.signal });
    clock.sleep(500).then(
      () => abort.abort(),
      () => undefined,
    );
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    await clock.run(clock.sleep(1));
    expect(out).toBe(0);
  });

  it('must be given, and requests must make sense', async () => {
    await expect(group({}, {}, { policy: undefined })).rejects.toMatchObject({ code: 'failed_precondition' });
    await expect(group({ groupSize: 0 })).rejects.toMatchObject({ code: 'invalid_argument', field: 'group_size' });
    await expect(group({ agent: Agent.UNSPECIFIED })).rejects.toMatchObject({ code: 'invalid_argument', field: 'agent' });
  });
});
