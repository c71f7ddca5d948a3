import { MAX_PAYLOAD } from '../../../src/bus/message-size.ts';
import {
  DENIED,
  FEEDS,
  IDENTITIES,
  inboxPrefix,
  isWorker,
  WORKER_ACCESS,
  workerSubject,
  WORKER_ROLES,
  type Access,
  type Identity,
} from './access.ts';

/** Account of JetStream, and of those that may change what it holds. */
export const MAIN_ACCOUNT = 'MAIN';
const WORK_ACCOUNT = 'WORK';

/** A password for each identity. */
export type NatsPasswords = Readonly<Record<Identity, string>>;

/** Bytes of streams on disk that a server takes by default. */
export const FILE_STORE_BYTES = 32 * 1024 ** 3;
/** Bytes of streams in memory. */
export const MEMORY_STORE_BYTES = 256 * 1024 ** 2;
/** Bytes that may wait for a client: a whole window of weight chunks for each of many readers. */
const MAX_PENDING_BYTES = 256 * 1024 ** 2;

/** Lines of nats-server's configuration that say how much it takes from a client, and how long it waits for one. */
export function limitsConfiguration(maxPayload = MAX_PAYLOAD): string[] {
  return [`max_payload: ${maxPayload}`, `max_pending: ${MAX_PENDING_BYTES}`, 'write_deadline: "20s"'];
}

/** The part of nats-server's configuration that says who may do what: accounts, users, permissions. */
export function accessConfiguration(passwords: NatsPasswords): string {
  const user = (name: Identity): object => ({ user: name, password: passwords[name], permissions: permissionsOf(name) });
  const services = new Map<string, object>();
  const feeds = new Set<string>();
  for (const worker of WORKER_ROLES) {
    const { publish, streams = [], subscribe }: Access = WORKER_ACCESS[worker];
    for (const subject of publish)
      services.set(subject, { service: subject, ...(streams.includes(subject) && { response_type: 'Stream' }) });
    for (const subject of subscribe) feeds.add(subject);
  }
  const accounts = {
    [MAIN_ACCOUNT]: {
      jetstream: 'enabled',
      users: IDENTITIES.filter((name) => !isWorker(name)).map(user),
      exports: [...services.values(), ...[...feeds].map((stream) => ({ stream }))],
    },
    [WORK_ACCOUNT]: {
      users: WORKER_ROLES.map(user),
      imports: [
        ...[...services.keys()].map((subject) => ({ service: { account: MAIN_ACCOUNT, subject }, to: workerSubject(subject) })),
        ...[...feeds].map((subject) => ({ stream: { account: MAIN_ACCOUNT, subject } })),
      ],
    },
  };
  // nats-server reads JSON as well.
  return `accounts: ${JSON.stringify(accounts, null, 2)}`;
}

/** Of a user: what it may publish and subscribe to. */
function permissionsOf(identity: Identity): { publish: object | readonly string[]; subscribe: readonly string[] } {
  const inbox = `${inboxPrefix(identity)}.>`;
  if (identity === 'admin') return { publish: ['>'], subscribe: ['>'] };
  if (identity === 'supervisor') return { publish: ['$JS.API.INFO'], subscribe: [inbox] };
  if (isWorker(identity)) {
    const { publish, subscribe } = WORKER_ACCESS[identity];
    return { publish: publish.map(workerSubject), subscribe: [inbox, ...subscribe] };
  }
  return { publish: { allow: ['>'], deny: DENIED[identity] }, subscribe: [inbox, ...FEEDS] };
}
