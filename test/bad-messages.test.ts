import { create, toBinary } from '@bufbuild/protobuf';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Bus } from '../src/bus/bus.ts';
import { deadLetterHeaders } from '../src/bus/dead-letter.ts';
import { connectBus } from '../src/protocol/connect.ts';
import { loginOf } from '../cluster/node/connect.ts';
import { JobState } from '../src/gen/millrace/v1/admin_pb.ts';
import { RolloutRequestSchema, ScoredGroupSchema, TrajectoryGroupSchema } from '../src/gen/millrace/v1/training_pb.ts';
import { encodeRows } from '../src/records/encode.ts';
import { stepRow } from '../src/store/fixtures.ts';
import { packRows } from '../src/records/pack.ts';
import { books, startTestCluster, type TestCluster } from './support/cluster.ts';
import { thermostatJob } from './support/thermostat.ts';

let cluster: TestCluster;
let bus: Bus;
beforeAll(async () => {
  cluster = await startTestCluster({ learners: 1, rollouts: 1 });
  bus = await connectBus({ servers: cluster.natsUrl, name: 'test', ...loginOf(cluster.natsAdmin!) });
});
afterAll(async () => {
  await bus?.close();
  await cluster?.end();
});

const GARBAGE: Record<string, Uint8Array> = {
  nothing: new Uint8Array(0),
  text: new TextEncoder().encode('hello, this is no message'),
  noise: Uint8Array.from({ length: 300 }, (_, i) => (i * 37) % 256),
  'a field that is cut off': Uint8Array.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
};

interface Dead {
  subject: string;
  reason: string;
  deliveries: string;
}

async function deadLetters(): Promise<Dead[]> {
  const letters: Dead[] = [];
  for await (const { headers } of bus.read('DLQ', 'dlq.>')) {
    const [subject, reason, deliveries] = ['Subject', 'Reason', 'Deliveries'].map((name) => headers[`Millrace-Dead-${name}`]!);
    letters.push({ subject: subject!, reason: reason!, deliveries: deliveries! });
  }
  return letters;
}

/** Lines of all logs at a level, with the node's name. */
async function logged(level: string): Promise<string[]> {
  const folder = join(cluster.stateDir, 'logs');
  const files = await Promise.all(
    (await readdir(folder)).filter((name) => name.endsWith('.log')).map((name) => readFile(join(folder, name), 'utf8')),
  );
  const lines = files.flatMap((text) => text.split('\n').filter((line) => line !== ''));
  return lines
    .map((line) => JSON.parse(line) as Record<string, string>)
    .flatMap((line) => (line['level'] === level ? [`${line['node']}: ${line['msg']}`] : []));
}

describe('messages that nobody can read', () => {
  it('go to the dead letters with a reason, end no process, and cost a running job nothing', async () => {
    const quick = ['rounds=30', 'rollout.groupsPerRound=4', 'evaluation.every=0', 'evaluation.baselines=false'];
    const { id } = await cluster.createJob(thermostatJob(quick));
    await cluster.until(id, ({ progress }) => (progress?.round ?? 0) >= 2);
    const kinds = [
      `rollout.${id}`,
      `group.${id}`,
      `scored.${id}.train`,
      `scored.${id}.evaluate`,
      'scored.nobody.train',
      `event.${id}.update`,
    ];
    for (const [name, bytes] of Object.entries(GARBAGE))
      for (const subject of kinds) await bus.publish(subject, bytes, { id: `garbage ${subject} ${name}` });
    for (const job of ['nobody', '', '../x', '*']) {
      const request = create(RolloutRequestSchema, { job, id: `${job}:0:a:0`, groupSize: 4 });
      await bus.publish('rollout.stranger', toBinary(RolloutRequestSchema, request), { id: `stranger ${job}` });
      const group = toBinary(TrajectoryGroupSchema, create(TrajectoryGroupSchema, { request }));
      await bus.publish('group.stranger', group, { id: `strange group ${job}` });
    }

    const job = await cluster.ended(id, 60_000);
    expect(job.state).toBe(JobState.SUCCEEDED);
    // A group that was overtaken may expire, and then has its replacement; none is lost.
    const { requests, trained, filtered, expired, failed, ended } = books(job);
    expect({ used: trained + filtered, failed, ended }).toEqual({ used: 120, failed: 0, ended: 120 + expired });
    expect(requests).toBe(ended);

    const readable = ['rollout', 'group', 'scored'];
    await expect.poll(async () => (await bus.streamState('ROLLOUTS')).messages, { timeout: 15_000 }).toBe(0);
    for (const stream of ['GROUPS', 'SCORED'] as const)
      await expect.poll(async () => (await bus.streamState(stream)).messages, { timeout: 15_000 }).toBe(0);
    const letters = await deadLetters();
    for (const subject of kinds.filter((kind) => readable.includes(kind.split('.')[0]!) && !kind.includes('nobody'))) {
      expect([subject, letters.filter((letter) => letter.subject === subject).length]).toEqual([
        subject,
        Object.keys(GARBAGE).length,
      ]);
    }
    for (const { subject, reason, deliveries } of letters) {
      expect([subject, deliveries]).toEqual([subject, '1']);
      expect(reason).not.toBe('');
    }
    expect(letters.filter(({ subject, reason }) => /stranger/.test(subject) && /^there is no job "/.test(reason))).toHaveLength(
      8,
    );

    for (const { id: node, restarts } of cluster.nodes()) expect([node, restarts]).toEqual([node, 0]);
    expect(await logged('fatal')).toEqual([]);
    // Each of them is told once at most.
    expect((await logged('error')).length + (await logged('warn')).length).toBeLessThanOrEqual(letters.length * 2);
  });

  it('come back when they are replayed unchanged, and are stored once when they are valid', async () => {
    const { admin } = cluster;
    await admin.replayDeadLetters({ all: true, stream: 'SCORED' });
    const group = (id: string, rows: Uint8Array): Uint8Array =>
      toBinary(
        ScoredGroupSchema,
        create(ScoredGroupSchema, { request: { id, job: 'mended' }, scores: [{ steps: 40 }], stepRows: packRows(rows) }),
      );
    const good = encodeRows(
      'steps',
      Array.from({ length: 40 }, (_, step) => stepRow({ job: 'mended', trajectory_id: 'mended:0:t:0:0', step })),
    );
    const bad = Buffer.concat([good, Buffer.from('["no row"]\n')]);
    await bus.publish('scored.mended.train', group('bad', bad), { id: 'bad rows', headers: { note: 'as sent' } });
    const letters = async (subject: string) =>
      (await admin.listDeadLetters({ stream: 'SCORED', pageSize: 1000 })).deadLetters.filter(
        (letter) => letter.subject === subject,
      );
    await expect.poll(async () => (await letters('scored.mended.train')).length, { timeout: 30_000 }).toBe(1);
    const [first] = await letters('scored.mended.train');
    expect(first).toMatchObject({ messageId: 'bad rows', headers: { note: 'as sent' }, stream: 'SCORED' });
    expect(first!.reason).toMatch(/^ClickHouse: .*\(code \d+\)$/);
    expect(Buffer.compare((await admin.getDeadLetter({ id: first!.id })).deadLetter!.payload, group('bad', bad))).toBe(0);

    await admin.replayDeadLetters({ ids: [first!.id] });
    await expect.poll(async () => (await letters('scored.mended.rows')).length, { timeout: 30_000 }).toBe(1);
    expect(await letters('scored.mended.train')).toEqual([]);
    await expect(admin.getDeadLetter({ id: first!.id })).rejects.toMatchObject({ code: 'not_found' });

    // What was wrong has been mended: here, in the letter itself.
    const headers = deadLetterHeaders({
      stream: 'SCORED',
      subject: 'scored.mended.train',
      id: 'good rows',
      sequence: 1,
      headers: {},
      reason: 'the table was not there',
      deliveries: 1,
    });
    const ids: bigint[] = [];
    for (const copy of [1, 2]) {
      const { sequence } = await bus.publish('dlq.SCORED', group('good', good), { id: `letter ${copy}`, headers });
      ids.push(BigInt(sequence));
    }
    expect(await admin.replayDeadLetters({ ids })).toMatchObject({ replayed: 2 });
    const count = async (): Promise<unknown> => (await cluster.rows(`SELECT count() FROM steps WHERE job = 'mended'`))[0]![0];
    await expect.poll(count, { timeout: 30_000 }).toBe(40);
    await expect.poll(async () => (await bus.streamState('SCORED')).messages).toBe(0);
    expect(await count()).toBe(40);
    expect(await letters('scored.mended.train')).toEqual([]);
  });
});
