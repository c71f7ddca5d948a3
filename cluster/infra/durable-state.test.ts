import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryNodes } from '../../test/support/memory-node.ts';
import { temporaryFolder, thermostatJob } from '../../test/support/thermostat.ts';
import type { BucketName } from '../../src/protocol/names.ts';
import { inspectValues } from '../admin/inspect-values.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { decodeLease } from '../../src/protocol/lease.ts';
import { decodeState, emptyState, encodeState } from '../../src/explore/state.ts';
import { JobState, type Job } from '../../src/gen/millrace/v1/admin_pb.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { createJobRecord, transition, type JobRecord } from '../../src/jobs/record.ts';
import { encodeJobRecord } from '../../src/jobs/record-codec.ts';
import type { NodeContext, Role } from '../runtime/context.ts';
import { startCoordinator } from '../coordinator/index.ts';
import { decodeNode } from '../runtime/nodes.ts';
import { startParameterServer } from '../parameter-server/index.ts';
import { runSerial } from '../serial/index.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => void (folder = await temporaryFolder()));
afterEach(() => folder.remove());

const quick = ['rounds=2', 'evaluation.every=0', 'evaluation.baselines=false', 'rollout.groupsPerRound=2', 'rollout.groupSize=2'];
const config = thermostatJob(quick);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const json = (value: unknown): Uint8Array => bytes(JSON.stringify(value));
const cut = (whole: Uint8Array): Uint8Array => whole.subarray(0, Math.floor(whole.length / 2));
const garbage = Uint8Array.from({ length: 90 }, (_, i) => (i * 89 + 200) & 255);

const queued = (id: string): JobRecord => createJobRecord({ id, config, now: 1 });
const running = (id: string): JobRecord => transition(queued(id), 'RUNNING', { now: 2 });
const succeeded = (id: string): JobRecord => ({ ...transition(running(id), 'SUCCEEDED', { now: 3 }), unsettled: [] });
const node = (id: string) => ({
  id,
  roles: ['store'],
  pid: 1,
  address: '127.0.0.1:1',
  startedAt: 1,
  heartbeatAt: 1,
  rssBytes: 1,
  peakRssBytes: 1,
  cpuSeconds: 1,
  eventLoopDelayMs: 1,
  labels: {},
  actors: [],
});

/** What lies in the buckets, and why it cannot be read. */
const BAD: readonly (readonly [BucketName, string, Uint8Array, RegExp?])[] = [
  ['jobs', 'job-cut', cut(encodeJobRecord(queued('job-cut'))), /not JSON/],
  ['jobs', 'job-garbage', garbage, /not JSON/],
  ['jobs', 'job-newer', json({ ...running('job-newer'), format: 2 }), /newer version of Millrace wrote it \(format 2/],
  ['jobs', 'job-empty', new Uint8Array(), /not JSON/],
  ['jobs', 'not/A=job.id', json(queued('job-elsewhere')), /record of job "job-elsewhere", under another key/],
  ['jobs', 'job-config', json({ ...running('job-config'), config: { ...config, dream: 1 } }), /config: expected no key dream/],
  ['policies', 'job-policy', garbage],
  ['policies', 'done-policy', cut(toBinary(WeightManifestSchema, create(WeightManifestSchema, { job: 'done-policy' })))],
  ['leases', 'job.thermostat', garbage],
  ['leases', 'trainer.thermostat', cut(json({ owner: 'somebody', id: 'x' }))],
  ['nodes', 'node-cut', cut(json(node('node-cut')))],
  ['nodes', 'node-garbage', garbage],
  ['nodes', 'node-newer', json({ ...node('node-newer'), format: 2, roles: { store: true } })],
  ['nodes', 'node-null', json(null)],
  ['nodes', 'node-empty', json({})],
  ['notices', 'thermostat.CUT.0', cut(json({ job: 'thermostat' }))],
  ['notices', 'garbage', garbage],
  ['budgets', 'ledger.2023-11.o6c6f63616c', garbage],
  ['budgets', 'ledger.2023-11.o616e6e', cut(json({ format: 1, jobs: {}, blocks: {} }))],
  ['budgets', 'ledger.2023-11.o626f62', json({ format: 2, jobs: [] })],
  ['budgets', 'ledger.november.o626f62', json({ format: 1 })],
  ['budgets', 'limit.o6c6f63616c', json({ microDollars: 'much' })],
  ['budgets', 'something', garbage],
  ['schedules', 'cut', cut(json({ format: 1, name: 'cut' }))],
  ['schedules', 'newer', json({ format: 2, name: 'newer' })],
  ['schedules', 'typed', json({ format: 1, name: 7, trigger: [] })],
  ['schedules', 'garbage', garbage],
  ['agents', 'cut', cut(json({ format: 1, name: 'cut' }))],
  ['agents', 'newer', json({ format: 2, name: 'newer' })],
  ['agents', 'typed', json({ format: 1, name: 'typed', bundle: 7 })],
  ['agents', 'empty', new Uint8Array()],
  ['experiments', 'cut', cut(json({ format: 1, id: 'cut' }))],
  ['experiments', 'newer', json({ format: 2, id: 'newer' })],
  ['experiments', 'typed', json({ format: 1, id: 7 })],
  ['served', 'garbage', garbage],
  ['joins', 'garbage', garbage],
  ['scheduler', 'places', garbage],
];

describe('bad values in the buckets', () => {
  it('are set aside, listed with the reason and left as they are, while jobs run', async () => {
    const stored = new Map<string, Uint8Array>();
    let bus!: Bus;
    const { job, jobs } = await runSerial(config, {
      stateDir: folder.path,
      prepare: async (connected) => {
        bus = connected;
        for (const [bucket, key, value] of BAD) await bus.kv(bucket).put(key, value);
        await bus.kv('jobs').put('done-policy', json({ ...succeeded('done-policy'), config: { ...config, of: 'tomorrow' } }));
        await bus.kv('jobs').watch('>', ({ key, value }) => void (value && stored.set(key, value)));
      },
    });
    expect(job).toMatchObject({ state: JobState.SUCCEEDED, error: '' });
    const listed = new Map(jobs.map((each) => [each.id, each]));
    const bad = BAD.filter(([bucket]) => bucket === 'jobs');
    for (const [, key, value, problem] of bad) {
      expect([key, listed.get(key)?.state]).toEqual([key, JobState.UNREADABLE]);
      expect(listed.get(key)!.error).toMatch(problem!);
      expect(Buffer.compare(stored.get(key)!, value)).toBe(0);
    }
    // Nobody writes over what may be somebody's money, schedule, agent or experiment.
    const left = BAD.filter(([bucket]) => ['budgets', 'schedules', 'agents', 'experiments', 'served', 'joins'].includes(bucket));
    for (const [bucket, key, value] of left)
      expect([key, Buffer.compare((await bus.kv(bucket).get(key))!.value, value)]).toEqual([key, 0]);
    const { findings } = await inspectValues(bus, new Set());
    expect(findings.map(({ place }) => place)).toEqual(expect.arrayContaining(left.map(([bucket, key]) => `${bucket}/${key}`)));
    const done = listed.get('done-policy') as Job;
    expect(done.state).toBe(JobState.SUCCEEDED);
    expect(done.unreadable).toMatch(/weight manifest of job done-policy cannot be read/);
    expect(JSON.parse(done.configJson)).toMatchObject({ of: 'tomorrow' });
    expect(jobs).toHaveLength(bad.length + 2);
  });
});

describe('a job whose weight manifest cannot be read', () => {
  const manifest = (more: object = {}): Uint8Array =>
    toBinary(
      WeightManifestSchema,
      create(WeightManifestSchema, { job: 'a', version: 1, weights: { chunks: 1 }, optimizer: { chunks: 1 }, ...more }),
    );
  const cases: [string, Uint8Array, RegExp][] = [
    ['truncated', manifest().subarray(0, 6), /manifest of job a cannot be read: it names no weights|not a WeightManifest/],
    ['garbage', garbage, /manifest of job a cannot be read: it is not a WeightManifest/],
    ['from a newer version', manifest({ format: 2 }), /newer version of Millrace wrote it \(format 2; this version reads 1\)/],
    ["another job's", manifest({ job: 'b' }), /it is that of job "b"/],
  ];

  it.each(cases)('fails with the reason, alone, and it stays as it is: %s', async (_, value, reason) => {
    const nodes = new MemoryNodes(folder.path);
    const { clock } = nodes;
    const roles: Role[] = [];
    const open = async (id: string, start: (context: NodeContext) => Promise<Role>): Promise<NodeContext> => {
      const context = await clock.run(nodes.node(id));
      roles.push(await clock.run(start(context)));
      return context;
    };
    const seed = await clock.run(nodes.node('seed'));
    await clock.run(seed.bus.kv('policies').put('a', value));
    await clock.run(seed.jobs.create({ ...running('a'), accepted: 4 }));
    await clock.run(seed.jobs.create(running('b')));
    const coordinator = await open('coordinator', startCoordinator);
    await open('parameter-server', startParameterServer);
    const state = (id: string) => coordinator.jobs.get(id)!.record;
    await nodes.until(() => state('a').state === 'FAILED' && state('a').unsettled.length === 0, 120);
    expect(state('a').error).toMatch(reason);
    await nodes.until(async () => (await coordinator.weights.latest('b')) !== undefined, 10);
    expect(state('b').state).toBe('RUNNING');
    expect(Buffer.compare((await coordinator.bus.kv('policies').get('a'))!.value, value)).toBe(0);
    for (const role of roles) await clock.run(role.stop());
  });
});

describe('what is read with a reason', () => {
  const cases: [string, (value: Uint8Array) => unknown, Uint8Array, unknown][] = [
    ['node', (value) => decodeNode(value, 'store.n'), json({ format: 1, ...node('n') }), { format: 2, ...node('n') }],
    ['lease', decodeLease, json({ format: 1, owner: 'n', id: 'x' }), { format: 2, holder: 'n' }],
    ['exploration state', decodeState, encodeState(emptyState()), { format: 2, arms: {} }],
  ];

  it.each(cases)('%s: truncated, garbage, and from a newer version', (_, decode, whole, newer) => {
    expect(() => decode(whole)).not.toThrow();
    for (const damaged of [cut(whole), garbage, json(null), json({}), json([])])
      expect(() => decode(damaged)).toThrow(expect.objectContaining({ code: 'data_loss' }));
    expect(() => decode(json(newer))).toThrow(
      expect.objectContaining({
        code: 'failed_precondition',
        message: expect.stringMatching(/newer version of Millrace wrote .*format 2; this version reads 1/) as unknown,
      }),
    );
  });
});
