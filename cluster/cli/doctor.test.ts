import { topology } from '../../src/protocol/topology.ts';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { thermostatJob } from '../../test/support/thermostat.ts';
import { allStreamConfigs } from '../../src/bus/nats/stream-config.ts';
import { saveCheckpoint } from '../../src/checkpoint/save.ts';
import { WeightManifestSchema } from '../../src/gen/millrace/v1/weights_pb.ts';
import { createJobRecord, transition } from '../../src/jobs/record.ts';
import { encodeJobRecord } from '../../src/jobs/record-codec.ts';
import { initialParameters } from '../../src/policy/planner/layout.ts';
import { smallSpec } from '../../src/policy/planner/testing.ts';
import { startServer, type RunningServer } from '../../src/rpc/server.ts';
import type { DurableFinding } from '../admin/finding.ts';
import { MemoryBackend } from '../admin/memory-backend.ts';
import { adminService } from '../admin/service.ts';
import { writeAdminFile } from '../up/admin-file.ts';
import { main } from './main.ts';
import { writeState } from './tune/state-file.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const running = (id: string) => transition(createJobRecord({ id, config: thermostatJob(), now: 1 }), 'RUNNING', { now: 2 });

let folder: string;
let stateDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-doctor-'));
  stateDir = join(folder, '.millrace');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function millrace(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const output = { stdout: '', stderr: '' };
  const to = (stream: 'stdout' | 'stderr') => ({ write: (text: string) => (output[stream] += text) });
  const { signal } = new AbortController();
  const code = await main(args, { stdout: to('stdout'), stderr: to('stderr'), env: {}, cwd: folder, signal });
  return { code, ...output };
}

async function found(): Promise<DurableFinding[]> {
  const { stdout } = await millrace('doctor', '-o', 'json');
  return (JSON.parse(stdout) as { findings: DurableFinding[] }).findings;
}

describe('millrace doctor with a cluster', () => {
  let backend: MemoryBackend;
  let server: RunningServer;
  beforeEach(async () => {
    backend = new MemoryBackend();
    server = await startServer({ services: [adminService(backend)] });
    writeAdminFile(stateDir, { address: server.address });
  });
  afterEach(() => server.stop(500));

  it('says that nothing is damaged, and takes nothing away then', async () => {
    const { bus } = backend;
    await bus.kv('jobs').put('fine', encodeJobRecord(running('fine')));
    await bus.ensureDurable({ stream: 'SCORED', durable: 'trainer-fine', filter: 'scored.fine.train' });
    expect(await millrace('doctor')).toMatchObject({ code: 0, stdout: expect.stringMatching(/nothing is damaged/) as unknown });
    for (const place of ['jobs/fine', 'SCORED/trainer-fine', 'jobs/none', 'SCORED/none', 'nothing', 'jobs/']) {
      const { code, stderr } = await millrace('doctor', '--remove', place, '--yes');
      expect([place, code, stderr]).toEqual([place, expect.any(Number), expect.stringMatching(/^error: /)]);
      expect(code).not.toBe(0);
    }
    expect(await bus.kv('jobs').get('fine')).toBeDefined();
    expect(await bus.durableState('SCORED', 'trainer-fine')).toBeDefined();
  });

  it('names what is damaged, each with the command that removes it, which works', async () => {
    const { bus } = backend;
    const values: [string, 'jobs' | 'policies' | 'leases' | 'nodes' | 'notices', string, Uint8Array][] = [
      ['not JSON', 'jobs', 'cut', encodeJobRecord(running('cut')).subarray(0, 50)],
      ['newer version', 'jobs', 'newer', bytes('{"format":2}')],
      ['not a WeightManifest', 'policies', 'fine', bytes('\u0007 garbage')],
      ['weights of no job', 'policies', 'orphan', toBinary(WeightManifestSchema, manifest('orphan'))],
      ['not JSON', 'leases', 'job.fine', bytes('{')],
      ['newer version', 'nodes', 'rollout-9', bytes('{"format":3}')],
      ['not a notice', 'notices', 'fine.A.0', bytes('null')],
    ];
    await bus.kv('jobs').put('fine', encodeJobRecord(running('fine')));
    for (const [, bucket, key, value] of values) await bus.kv(bucket).put(key, value);
    await bus.ensureDurable({ stream: 'SCORED', durable: 'writer', filter: 'scored.fine.rows' });
    await bus.ensureDurable({ stream: 'SCORED', durable: 'spy', filter: 'scored.>' });
    await bus.ensureDurable({ stream: 'SCORED', durable: 'trainer-gone', filter: 'scored.gone.train' });
    const findings = await found();
    const places = [...values.map(([, bucket, key]) => `${bucket}/${key}`), 'SCORED/writer', 'SCORED/spy', 'SCORED/trainer-gone'];
    expect(findings.map(({ place }) => place).sort()).toEqual(places.sort());
    for (const [problem, bucket, key] of values)
      expect(findings.find(({ place }) => place === `${bucket}/${key}`)!.problem).toContain(problem);
    expect(await millrace('doctor', '--remove', 'jobs/cut')).toMatchObject({ code: 2 });
    expect(await found()).toHaveLength(places.length);
    for (const { place, advice } of findings) {
      expect(advice).toBe(`millrace doctor --remove ${place} --yes`);
      expect(await millrace(...advice.split(' ').slice(1))).toMatchObject({ code: 0, stdout: `${place} is removed\n` });
    }
    expect(await found()).toEqual([]);
    expect(await bus.kv('jobs').keys()).toEqual(['fine']);
    const kept = readdirSync(join(stateDir, 'removed'));
    expect(kept).toHaveLength(values.length);
    const copy = join(
      stateDir,
      'removed',
      kept.find((name) => name.startsWith('jobs_cut.'))!,
    );
    expect(Buffer.compare(readFileSync(copy), values[0]![3])).toBe(0);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
  });

  it('misses streams and buckets that are deleted, and weights that are not what the manifest says', async () => {
    const { bus } = backend;
    await bus.kv('jobs').put('fine', encodeJobRecord(running('fine')));
    await bus.kv('policies').put('fine', toBinary(WeightManifestSchema, manifest('fine')));
    bus.server.deleteStream('GROUPS');
    bus.server.deleteBucket('leases');
    const findings = await found();
    expect(findings.map(({ place, problem }) => [place, problem])).toEqual([
      ['GROUPS', 'it is not there'],
      ['leases', 'it is not there'],
      ['WEIGHTS/fine', expect.stringMatching(/1 of 1 chunks are gone/)],
    ]);
    expect((await millrace('doctor')).code).toBe(1);
  });
});

const manifest = (job: string) =>
  create(WeightManifestSchema, { job, version: 1, weights: { chunks: 1, bytes: 4n }, optimizer: { chunks: 1, bytes: 8n } });

describe('millrace doctor on the files of a state folder', () => {
  it('names each that cannot be read, without a cluster', async () => {
    const spec = smallSpec();
    const write = (version: string): Promise<unknown> =>
      saveCheckpoint(join(stateDir, 'checkpoints', 'a', version), { spec, parameters: initialParameters(spec), meta: {} });
    for (const version of ['v1', 'v2', 'v3', 'v4']) await write(version);
    const file = (version: string, name: string): string => join(stateDir, 'checkpoints', 'a', version, name);
    truncateSync(file('v2', 'model.safetensors'), 40);
    writeFileSync(file('v3', 'manifest.json'), 'garbage');
    writeFileSync(file('v4', 'manifest.json'), '{"format": 2}');
    const search = { format: 1 as const, id: 'x', plan: {} as never, job: thermostatJob(), trials: [] };
    for (const name of ['fine', 'cut', 'newer']) await writeState(join(stateDir, 'tune', `${name}.json`), search);
    truncateSync(join(stateDir, 'tune', 'cut.json'), 20);
    writeFileSync(join(stateDir, 'tune', 'newer.json'), '{"format": 2}');
    writeFileSync(join(stateDir, 'lock'), '\u0000\u0000');
    writeFileSync(join(stateDir, 'admin.json'), '{"format": 2, "addresses": []}');
    mkdirSync(join(stateDir, 'checkpoints', 'a', '.v5.draft.tmp'));
    const { code, stdout, stderr } = await millrace('doctor');
    expect(code).toBe(1);
    expect(stderr).toMatch(/Only the files of .* were checked/);
    for (const [place, problem] of [
      ['a/v2', /model.safetensors is damaged/],
      ['a/v3', /manifest.json is damaged/],
      ['a/v4', /newer version of Millrace wrote .*format 2; this version reads 1/],
      ['tune/cut.json', /holds no search/],
      ['tune/newer.json', /newer version of Millrace wrote/i],
      ['lock', /it names no process/],
      ['admin.json', /cannot be read: a newer version of Millrace wrote it/],
    ] as const) {
      const part = stdout.split('\n\n').find((text) => text.split('\n')[0]!.endsWith(place));
      expect([place, part]).toEqual([place, expect.stringMatching(problem)]);
    }
    expect(stdout).toContain('7 of 9 things are damaged');
    expect(stdout).not.toMatch(/v1\b|fine\.json|draft/);
  });

  it('names streams whose settings keep a cluster from starting, and those whose file is damaged', async () => {
    const settings = (name: string): string =>
      JSON.stringify(allStreamConfigs(topology()).find((config) => config.name === name));
    const file = (name: string, text: string): void => {
      const stream = join(stateDir, 'nats', 'jetstream', 'MAIN', 'streams', name);
      mkdirSync(stream, { recursive: true });
      writeFileSync(join(stream, 'meta.inf'), text);
    };
    file('SCORED', settings('SCORED'));
    // Set by the next start.
    file('KV_nodes', settings('KV_nodes').replace(/"max_bytes":\d+/, '"max_bytes":1'));
    file('ROLLOUTS', settings('ROLLOUTS').replace('workqueue', 'limits'));
    file('GROUPS', settings('GROUPS').slice(0, 40));
    file('KV_jobs', '\u0000garbage');
    file('OTHERS', '{}');
    file(join('SCORED', 'obs', 'writer'), JSON.stringify({ durable_name: 'writer', filter_subject: 'scored.>' }));
    file(join('ROLLOUTS', 'obs', 'rollout'), JSON.stringify({ durable_name: 'rollout', filter_subject: 'rollout.x' }));
    file(join('ROLLOUTS', 'obs', 'another'), 'garbage');
    const streams = (await found()).filter(({ what }) => what === 'stream' || what === 'durable');
    expect(streams.map(({ place, problem }) => [place.split('/').at(-1), problem])).toEqual([
      ['GROUPS', expect.stringMatching(/not JSON/)],
      ['KV_jobs', expect.stringMatching(/not JSON/)],
      ['ROLLOUTS', 'its retention is "limits", not "workqueue"'],
      ['rollout', 'its filter is rollout.x, not rollout.>'],
    ]);
    for (const { place, advice } of streams) expect(advice).toMatch(`rm -r ${place};`);
  });
});
