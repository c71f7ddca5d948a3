import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Bus } from '../../../src/bus/bus.ts';
import { VirtualClock } from '../../../src/clock/virtual.ts';
import {
  AdapterStatus,
  CreateExperimentRequestSchema,
  DecideExperimentRequestSchema,
  ExperimentArm,
  ExperimentChoice,
  PublishAdapterRequestSchema,
  RecordRewardRequestSchema,
  ServePolicyRequestSchema,
  StopExperimentRequestSchema,
} from '../../../src/gen/millrace/v1/adapters_pb.ts';
import { ServedTaskSchema } from '../../../src/gen/millrace/v1/serving_pb.ts';
import { Termination } from '../../../src/gen/millrace/v1/flow_pb.ts';
import { withOutcome } from '../../../src/jobs/experiments/experiment.ts';
import { createJobRecord, type JobRecord } from '../../../src/jobs/record.ts';
import { memoryBus } from '../../../src/protocol/memory.ts';
import { silentLogger } from '../../../src/telemetry/log.ts';
import { thermostatJob } from '../../../test/support/thermostat.ts';
import { agentDirectory, type AgentDirectory } from '../../jobs/agents.ts';
import { ExperimentDirectory } from '../../jobs/experiments.ts';
import type { AskWorker } from './context.ts';
import type { ServingApi } from './index.ts';
import { ExperimentKeeper } from './keeper.ts';
import { memoryServing } from './memory-serving.ts';

const DAY = 24 * 3600 * 1000;
let clock: VirtualClock;
let bus: Bus;
let agents: AgentDirectory;
let api: ServingApi;
let record: JobRecord;
let asked: Parameters<AskWorker>[0][];
/** How a worker answers. */
let answer: () => ReturnType<AskWorker>;

const evaluation = (policyVersion: number, successes: number) => ({
  ...{ name: 'trained', policyVersion, tasks: 100, successes, failed: 0, meanReward: successes / 100, trajectories: 0 },
  ...{ trainSeconds: 0, meanSteps: 4, failures: {}, metrics: {}, types: {} },
});

beforeEach(async () => {
  clock = new VirtualClock();
  bus = memoryBus({ clock });
  agents = agentDirectory({ bus, clock });
  asked = [];
  answer = () => Promise.resolve(create(ServedTaskSchema, { answerJson: '"warm"', termination: Termination.DONE, steps: 3 }));
  const checkpoints = [1, 2, 3].map((version) => ({ version, digest: String(version).repeat(64), bytes: 9, at: 0 }));
  const evaluations = [evaluation(1, 60), evaluation(2, 80), evaluation(3, 70)];
  record = createJobRecord({ id: 'job', config: thermostatJob(), now: 0, checkpoints, evaluations, from: 'other@9' });
  api = serving();
  await agents.register({ name: 'heating', bundle: 'b'.repeat(64), flow: 'thermostat', takesQueries: false, owner: 'ana' });
});

function serving(): ServingApi {
  return memoryServing(bus, agents, {
    clock,
    jobs: {
      fetch: (id) => Promise.resolve(id === 'job' ? { record, revision: 1 } : undefined),
      update: (_, change) => Promise.resolve({ record: (record = change(record) ?? record), revision: 2 }),
    },
    ask: (task) => {
      asked.push(task);
      return answer();
    },
  });
}

const publish = (version: string, live = false) =>
  api.adapters.publish(create(PublishAdapterRequestSchema, { agent: 'heating', version, live }));
const serve = (stickyKey: string, more: object = {}) =>
  api.servePolicy(create(ServePolicyRequestSchema, { agent: 'heating', taskJson: '{"id":"a"}', stickyKey, ...more }));
const reward = (trajectoryId: string | undefined, value: number) =>
  api.recordReward(create(RecordRewardRequestSchema, { trajectoryId: trajectoryId!, outcome: { case: 'reward', value } }));
const experiment = (more: object = {}) =>
  api.experiments.create(
    create(CreateExperimentRequestSchema, { agent: 'heating', candidate: 'job@3', id: 'x', minPairs: 1, ...more }),
  );
const events = async (subject: string): Promise<unknown[][]> => {
  const rows: unknown[][] = [];
  for await (const { data } of bus.read('EVENTS', subject)) rows.push(JSON.parse(Buffer.from(data).toString()) as unknown[]);
  return rows;
};
/** Serves tasks of many users; those of the candidate are worth 1, the others nothing, until the experiment has ended. */
async function candidateWins(): Promise<void> {
  for (let user = 0; user < 60; user += 1) {
    const { trajectoryId, arm, experiment: id } = await serve(`user-${user}`);
    if (id === '') return;
    await reward(trajectoryId, arm === ExperimentArm.CANDIDATE ? 1 : 0);
  }
}

describe('publishing', () => {
  it('takes the best checkpoint, its figures and its lineage, keeps it, and makes the first one live', async () => {
    const { adapter } = await publish('job');
    expect(adapter).toMatchObject({ version: 'job@2', status: AdapterStatus.LIVE, parent: 'other@9', owner: 'local' });
    expect(adapter.validation).toMatchObject({ tasks: 100, success: 0.8 });
    expect(record.checkpoints.map(({ published }) => published)).toEqual([undefined, true, undefined]);
    expect((await publish('job@3')).adapter.status).toBe(AdapterStatus.CANDIDATE);
    expect((await agents.get('heating')).servedVersion).toBe('job@2');
    expect((await publish('job@3', true)).adapter.status).toBe(AdapterStatus.LIVE);
    expect((await agents.get('heating')).servedVersion).toBe('job@3');
  });

  it('names what is wrong', async () => {
    await expect(publish('job@9')).rejects.toMatchObject({
      code: 'not_found',
      field: 'version',
      message: expect.stringContaining('1, 2, 3') as string,
    });
    await expect(publish('nobody@1')).rejects.toMatchObject({ code: 'not_found', field: 'version' });
    await expect(publish('job@x')).rejects.toMatchObject({ code: 'invalid_argument', field: 'version' });
    record = { ...record, code: 'c'.repeat(64) };
    await expect(publish('job')).rejects.toMatchObject({ code: 'failed_precondition', field: 'version' });
    await expect(serve('u')).rejects.toMatchObject({ code: 'failed_precondition', field: 'agent' });
  });
});

describe('live tasks', () => {
  beforeEach(() => publish('job@2'));

  it('with a request id are run once, and answered alike', async () => {
    const requestId = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';
    const first = await serve('u', { requestId });
    expect(first).toMatchObject({ version: 'job@2', answerJson: '"warm"', ended: 'done', steps: 3 });
    expect(await serve('u', { requestId })).toEqual(first);
    expect(asked).toHaveLength(1);
    await expect(serve('u', { requestId, taskJson: '{"id":"b"}' })).rejects.toMatchObject({
      code: 'already_exists',
      field: 'request_id',
    });
    expect((await serve('u')).trajectoryId).not.toBe(first.trajectoryId);
  });

  it('that failed can be asked for again; one that runs cannot until it is lost', async () => {
    const requestId = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';
    answer = () =>
      Promise.resolve(create(ServedTaskSchema, { errorCode: 'failed_precondition', errorMessage: 'broke', errorField: 'flow' }));
    await expect(serve('u', { requestId })).rejects.toMatchObject({
      code: 'failed_precondition',
      field: 'flow',
      message: 'broke',
    });
    const working = answer;
    let finish = (): void => {};
    answer = () => new Promise((resolve) => (finish = () => void working().then(resolve)));
    const running = serve('u', { requestId }).catch((error: unknown) => error);
    await expect.poll(() => asked.length).toBe(2);
    await expect(serve('u', { requestId })).rejects.toMatchObject({ code: 'aborted' });
    answer = () => Promise.resolve(create(ServedTaskSchema, { answerJson: '1', termination: Termination.DONE, steps: 1 }));
    await clock.run(clock.sleep(60_000));
    expect(await serve('u', { requestId })).toMatchObject({ answerJson: '1' });
    finish();
    await running;
    expect(new Set(asked.map((task) => task.requestId)).size).toBe(3);
  });

  it('refuses what is no task', async () => {
    await expect(serve('u', { taskJson: '{' })).rejects.toMatchObject({ code: 'invalid_argument', field: 'task_json' });
    await expect(serve('u', { taskJson: `"${'x'.repeat(300_000)}"` })).rejects.toMatchObject({ field: 'task_json' });
    await expect(serve('x'.repeat(257))).rejects.toMatchObject({ field: 'sticky_key' });
    await expect(serve('u', { timeout: durationFromMs(99_000) })).rejects.toMatchObject({ field: 'timeout' });
    expect(asked).toEqual([]);
  });

  it('take one reward, in time, and note it', async () => {
    const { trajectoryId } = await serve('u');
    expect(await reward(trajectoryId, 0.5)).toEqual({ experiment: '', counted: false });
    expect(await reward(trajectoryId, 0.5)).toEqual({ experiment: '', counted: false });
    await expect(reward(trajectoryId, 0.6)).rejects.toMatchObject({ code: 'already_exists' });
    await expect(reward('job:2:serve-1', 1)).rejects.toMatchObject({ code: 'not_found', field: 'trajectory_id' });
    await expect(reward(trajectoryId!.replace(/:1:0$/, ':2:0'), 1)).rejects.toMatchObject({ code: 'not_found' });
    for (const wrong of [NaN, Infinity, 2e6])
      await expect(reward(trajectoryId, wrong)).rejects.toMatchObject({ field: 'reward' });
    expect((await events('event.job.outcome')).map((row) => row.slice(0, 10))).toEqual([
      ['job', '', 0, trajectoryId, 'heating', 'job@2', '', '', 0.5, 0],
    ]);
    const late = await serve('v');
    await clock.run(clock.sleep(8 * DAY));
    await expect(reward(late.trajectoryId, 1)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('experiments', () => {
  beforeEach(async () => {
    await publish('job@2');
    await publish('job@3');
  });

  it('count a user once, decide, change what is live, and write it all down', async () => {
    await experiment();
    await candidateWins();
    const { experiment: over } = await api.experiments.get({ id: 'x' } as never);
    expect(over).toMatchObject({ losses: 0, decision: { kind: 'promote', by: 'rule', alpha: 0.05, threshold: 20 } });
    expect(await agents.get('heating')).toMatchObject({ servedVersion: 'job@3', experiment: '', history: ['job@2'] });
    const rows = await events('event.job.outcome');
    expect(rows.map(([, , ordinal]) => ordinal)).toEqual(rows.map((_, i) => i + 1));
    const [decision] = await events('event.job.decision');
    expect(decision!.slice(0, 7)).toEqual(['job', 'x', 'heating', 'job@2', 'job@3', 'promote', 'rule']);
    // From the rows alone.
    const byOrdinal = new Map(rows.map((row) => [row[2], row]));
    const wins = rows.filter(([, , , , , , arm, , value, partner]) => {
      const other = byOrdinal.get(partner)?.[8] as number | undefined;
      return other !== undefined && (arm === 'candidate' ? (value as number) > other : (value as number) < other);
    });
    expect(wins).toHaveLength(over.wins!);
  });

  it('have an agent for themselves, keep users with their arm, and end when somebody says so', async () => {
    await experiment();
    await expect(experiment({ id: 'y' })).rejects.toMatchObject({ code: 'failed_precondition', field: 'agent' });
    await expect(publish('job@1', true)).rejects.toMatchObject({ code: 'failed_precondition', field: 'agent' });
    const arms = await Promise.all(['a', 'b', 'c', 'a', 'b', 'c'].map(async (key) => (await serve(key)).arm));
    expect(arms.slice(0, 3)).toEqual(arms.slice(3));
    const [one, again] = [await serve('a'), await serve('a')];
    expect(await reward(one.trajectoryId, 1)).toMatchObject({ counted: true });
    expect(await reward(again.trajectoryId, 1)).toMatchObject({ counted: false, experiment: 'x' });
    const late = await serve('z');
    const decide = (choice: ExperimentChoice) =>
      api.experiments.decide(create(DecideExperimentRequestSchema, { id: 'x', choice, reason: 'complaints' }));
    const { experiment: over } = await decide(ExperimentChoice.ROLL_BACK);
    expect(over.decision).toMatchObject({ kind: 'rollback', by: 'person', reason: 'complaints', units: 1 });
    expect((await decide(ExperimentChoice.ROLL_BACK)).experiment).toEqual(over);
    await expect(decide(ExperimentChoice.PROMOTE)).rejects.toMatchObject({ code: 'failed_precondition' });
    expect(await reward(late.trajectoryId, 1)).toMatchObject({ counted: false });
    expect((await agents.get('heating')).adapters.map(({ status }) => status)).toEqual(['live', 'retired']);
    expect(await serve('a')).toMatchObject({ version: 'job@2', experiment: '' });
    await experiment({ id: 'y', share: 0.9 });
    await api.experiments.stop(create(StopExperimentRequestSchema, { id: 'y' }));
    expect((await agents.get('heating')).experiment).toBe('');
  });

  it('are created once by a request that comes again, and refuse settings out of bounds', async () => {
    const requestId = '0b1c2d3e-4f50-4a6b-8c7d-9e0f1a2b3c4d';
    const { experiment: first } = await experiment({ id: '', requestId });
    expect((await experiment({ id: '', requestId })).experiment).toEqual(first);
    await expect(experiment({ id: '', requestId, share: 0.3 })).rejects.toMatchObject({
      code: 'already_exists',
      field: 'request_id',
    });
    for (const [field, more] of [
      ['share', { share: 0.01 }],
      ['alpha', { alpha: 0.9 }],
      ['min_pairs', { minPairs: 20_000 }],
      ['max_pairs', { minPairs: 50, maxPairs: 40 }],
      ['reward_within', { rewardWithin: durationFromMs(8 * DAY) }],
      ['version', { candidate: 'job@9' }],
    ] as const)
      await expect(experiment({ id: 'z', ...more })).rejects.toMatchObject({ field });
  });

  it('wait for a reward as long as they say', async () => {
    await experiment({ rewardWithin: durationFromMs(10_000) });
    const { trajectoryId } = await serve('a');
    await clock.run(clock.sleep(11_000));
    await expect(reward(trajectoryId, 1)).rejects.toMatchObject({ code: 'failed_precondition', field: 'trajectory_id' });
  });

  it('of equals change nothing when the candidate wins', async () => {
    await experiment({ candidate: 'job@2' });
    await candidateWins();
    expect(await agents.get('heating')).toMatchObject({ servedVersion: 'job@2', experiment: '', history: [] });
  });

  it('are carried on by another coordinator where one died', async () => {
    await experiment();
    // It counted what decides, and died before anything followed.
    const directory = new ExperimentDirectory(bus);
    const at = Math.round(clock.now());
    for (let n = 0; n < 20; n += 1) {
      const arm = n % 2 === 0 ? 'champion' : 'candidate';
      const outcome = { unit: String(n).padStart(8, '0'), arm, reward: n % 2, trajectory: `t${n}`, servedAt: at, at } as const;
      await directory.update('x', (newest) => withOutcome(newest, outcome) ?? newest);
    }
    expect((await agents.get('heating')).servedVersion).toBe('job@2');
    const keeper = new ExperimentKeeper({ bus, clock, log: silentLogger(), agents, experiments: directory });
    await keeper.scan();
    await expect.poll(async () => (await directory.get('x')).applied).toBe(true);
    expect((await agents.get('heating')).servedVersion).toBe('job@3');
    expect(await events('event.job.outcome')).toHaveLength(16);
    expect(await events('event.job.decision')).toHaveLength(1);
    const { unpublished, tally } = await directory.get('x');
    expect([unpublished.outcomes, unpublished.decision, tally.units]).toEqual([[], false, '']);
  });

  it('that never got the tasks of their agent are stopped', async () => {
    await experiment();
    await agents.update('heating', (agent) => ({ ...agent, experiment: '' }));
    const directory = new ExperimentDirectory(bus);
    const keeper = new ExperimentKeeper({ bus, clock, log: silentLogger(), agents, experiments: directory });
    await keeper.scan();
    expect((await directory.get('x')).state).toBe('RUNNING');
    await clock.run(clock.sleep(61_000));
    await keeper.scan();
    expect((await directory.get('x')).state).toBe('STOPPED');
  });
});
