import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openJetStream, type JetStreamConnection } from '../../../src/bus/nats/connection.ts';
import { subjectMatches } from '../../../src/bus/subject.ts';
import { connectBus } from '../../../src/protocol/connect.ts';
import { WORK_DURABLES } from '../../../src/protocol/durables.ts';
import { ROLE_NAMES, SEVERAL_ROLES } from '../../../src/protocol/roles.ts';
import {
  ALL,
  callSubject,
  eventSubject,
  partSubject,
  progressSubject,
  retrySubject,
  scoredSubject,
  serveSubject,
  servedSubject,
  waitingSubject,
  weightManifestSubject,
  WRITER_SUBJECT,
} from '../../../src/protocol/subjects.ts';
import { topology } from '../../../src/protocol/topology.ts';
import { loginOf } from '../../node/connect.ts';
import { openNatsPasswords } from '../credentials.ts';
import { startNatsServer, type NatsServerProcess } from '../nats-server.ts';
import { DENIED, FEEDS, IDENTITIES, inboxPrefix, isWorker, WORKER_ACCESS, workerSubject, type Identity } from './access.ts';
import type { NatsPasswords } from './configuration.ts';

const { streams, buckets } = topology();
const MESSAGES = [
  ...streams.map(({ subjects }) => subjects.replace('>', 'x')),
  ...(['train', 'evaluate', 'rows'] as const).map((purpose) => scoredSubject('x', purpose)),
  ...['notice', 'notice-resolved', 'tool-timeouts', 'update', 'evaluation', 'job-state'].map((kind) => eventSubject('x', kind)),
  ...(['started', 'ended'] as const).map((entry) => callSubject('x', 'y', entry)),
  ...streams.map(({ name }) => ALL.deadLetters.replace('>', name)),
  partSubject('x', 'y', 0),
  weightManifestSubject({ job: 'x', version: 1 }),
  ...[progressSubject('x'), waitingSubject('x'), retrySubject('x'), serveSubject('x'), servedSubject('x'), WRITER_SUBJECT],
];
const KEYS = [
  ...buckets.flatMap(({ name }) => [`$KV.${name}.x`, `$KV.${name}.x.y`, `$KV.${name}.ledger.x`]),
  ...[...ROLE_NAMES, SEVERAL_ROLES].map((role) => `$KV.nodes.${role}.x`),
];
const API = [
  '$JS.API.INFO',
  '$JS.API.STREAM.NAMES',
  ...[...streams.map(({ name }) => name), ...buckets.map(({ name }) => `KV_${name}`)].flatMap((stream) => [
    ...['CREATE', 'UPDATE', 'DELETE', 'RESTORE', 'SNAPSHOT', 'INFO', 'PURGE'].map((call) => `$JS.API.STREAM.${call}.${stream}`),
    ...['MSG.GET', 'MSG.DELETE'].map((call) => `$JS.API.STREAM.${call}.${stream}`),
    ...[`$JS.API.DIRECT.GET.${stream}`, `$JS.API.DIRECT.GET.${stream}.x.y`, `$JS.API.CONSUMER.NAMES.${stream}`],
    ...[`$JS.API.CONSUMER.CREATE.${stream}`, `$JS.API.CONSUMER.CREATE.${stream}.x.y`],
    `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.x`,
  ]),
  ...[...WORK_DURABLES, { stream: 'SCORED', durable: 'writer' }].flatMap(({ stream, durable }) => [
    ...['INFO', 'DELETE', 'MSG.NEXT'].map((call) => `$JS.API.CONSUMER.${call}.${stream}.${durable}`),
    `$JS.ACK.${stream}.${durable}.1.1.1.1.1`,
  ]),
];
const INBOXES = [...IDENTITIES.map((name) => `${inboxPrefix(name)}.x`), '_INBOX.x'];
/** Also by the names that the workers' account has for the API. */
const SUBJECTS = [...new Set([...MESSAGES, ...KEYS, ...API, ...API.map(workerSubject), ...INBOXES])];

const matches = (filters: readonly string[], subject: string): boolean =>
  filters.some((filter) => subjectMatches(filter, subject));

/** What the table of the identity says. */
function mayPublish(identity: Identity, subject: string): boolean {
  if (identity === 'admin') return true;
  if (identity === 'supervisor') return subject === '$JS.API.INFO';
  if (isWorker(identity)) return matches(WORKER_ACCESS[identity].publish.map(workerSubject), subject);
  return !matches(DENIED[identity], subject);
}
function maySubscribe(identity: Identity, subject: string): boolean {
  if (identity === 'admin' || subject === `${inboxPrefix(identity)}.x`) return true;
  if (identity === 'supervisor') return false;
  return matches(isWorker(identity) ? WORKER_ACCESS[identity].subscribe : FEEDS, subject);
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-subjects-'));
let server: NatsServerProcess;
let passwords: NatsPasswords;
beforeAll(async () => {
  passwords = openNatsPasswords(folder);
  server = await startNatsServer({ storeDir: join(folder, 'nats'), passwords });
  const bus = await connectBus({ ...login('admin'), durables: WORK_DURABLES });
  await bus.ensureTopology();
  await bus.close();
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
});

const login = (identity: Identity) => ({
  ...{ servers: server.url, name: identity },
  ...loginOf({ identity, password: passwords[identity] }),
});

/** Subjects that the server refuses a connection, of those that `act` uses. */
async function refused(
  identity: Identity,
  operation: 'publish' | 'subscription',
  act: (nc: JetStreamConnection['nc']) => void,
): Promise<string[]> {
  const { nc } = await openJetStream(login(identity));
  const found = new Set<string>();
  const reading = (async () => {
    for await (const event of nc.status()) {
      const { error } = event as { error?: { operation?: string; subject?: string } };
      if (error?.operation === operation) found.add(error.subject!);
    }
  })();
  act(nc);
  // The server answers in order: what it refuses before this comes before.
  await nc.flush();
  await nc.close();
  await reading;
  return [...found].sort();
}

describe.each(IDENTITIES)('%s, of all subjects of the cluster,', (identity) => {
  it('publishes to those of its table alone', async () => {
    // No request of the API is this one, so that those that are let through change nothing.
    const tried = await refused(identity, 'publish', (nc) => SUBJECTS.forEach((subject) => nc.publish(subject, '{')));
    expect(tried).toEqual(SUBJECTS.filter((subject) => !mayPublish(identity, subject)).sort());
  });

  it('subscribes to those of its table alone', async () => {
    const tried = await refused(identity, 'subscription', (nc) => {
      for (const subject of SUBJECTS) nc.subscribe(subject, { callback: () => {} });
    });
    expect(tried).toEqual(SUBJECTS.filter((subject) => !maySubscribe(identity, subject)).sort());
  });
});

describe('the tables', () => {
  it('let nobody but coordinators and admin write jobs, credentials and tokens for joining, or change streams of others', () => {
    const keys = ['$KV.jobs.x', '$KV.credentials.x', '$KV.joins.x', '$KV.schedules.x'];
    for (const key of keys) {
      const writers = IDENTITIES.filter((identity) => mayPublish(identity, key));
      const also = key === '$KV.jobs.x' ? ['parameter-server'] : [];
      expect([key, writers.sort()]).toEqual([key, ['admin', 'coordinator', ...also].sort()]);
    }
    const destroyers = IDENTITIES.filter((identity) => mayPublish(identity, '$JS.API.STREAM.DELETE.ROLLOUTS'));
    expect(destroyers).toEqual(['admin']);
  });
});
