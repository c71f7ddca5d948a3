/**
 * Makes the credentials of a cluster in containers, and the configuration of its NATS servers: a folder for each part, which deploy/compose.yaml
 * mounts and deploy/kubernetes makes secrets of. What is there stays: run it again after an update that brings new credentials.
 *
 *   npx tsx deploy/credentials.ts deploy/cluster
 */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MAX_PAYLOAD } from '../src/bus/message-size.ts';
import { ROLE_NAMES, type RoleName } from '../src/protocol/roles.ts';
import {
  CREDENTIAL_FILES,
  natsPasswordFile,
  openCredentials,
  openNatsPasswords,
  type Credentials,
} from '../cluster/infra/credentials.ts';
import { accessConfiguration } from '../cluster/infra/nats/configuration.ts';
import { credentialsOf } from '../cluster/runtime/settings/credentials.ts';

/** The account that containers run as. */
const GROUP = 1000;
const MIB = 1024 * 1024;
/** Hosts of the NATS servers in deploy/compose.yaml; on Kubernetes an argument replaces them. */
const NATS_HOSTS = ['nats-1', 'nats-2', 'nats-3'];

const [to] = process.argv.slice(2);
if (to === undefined) {
  process.stderr.write('usage: npx tsx deploy/credentials.ts FOLDER\n');
  process.exit(2);
}
const folder = resolve(to);
mkdirSync(folder, { recursive: true, mode: 0o755 });
const credentials = openCredentials(folder);
const passwords = openNatsPasswords(folder);
for (const role of ROLE_NAMES) {
  for (const name of namesOf(role)) put(role, CREDENTIAL_FILES[name], `${credentials[name]}\n`);
  put(role, natsPasswordFile(role), `${passwords[role]}\n`);
}
put('nats', 'nats.conf', natsConfiguration());

/** Of the credentials, those that a role reads. */
function namesOf(role: RoleName): (keyof Credentials)[] {
  const names = Object.keys(credentialsOf(role, credentials)) as (keyof Credentials)[];
  // The passwords of ClickHouse's interface.
  return role === 'store' ? [...names, 'readToken', 'writeToken'] : names;
}

/** Writes a file that the containers' group may read, and nobody else. */
function put(part: string, name: string, text: string): void {
  const path = join(folder, part);
  mkdirSync(path, { recursive: true, mode: 0o755 });
  const file = join(path, name);
  writeFileSync(file, text, { mode: 0o600 });
  if (process.getuid?.() === GROUP) return;
  // For a process that is neither root nor the containers' account, this says so.
  chownSync(file, process.getuid?.() ?? GROUP, GROUP);
  chmodSync(file, 0o640);
}

function natsConfiguration(): string {
  return [
    'listen: 0.0.0.0:4222',
    `max_payload: ${MAX_PAYLOAD}`,
    `max_pending: ${256 * MIB}`,
    'write_deadline: "20s"',
    `jetstream { store_dir: /data, max_memory_store: ${256 * MIB}, max_file_store: ${32 * 1024 * MIB} }`,
    `cluster { name: millrace, listen: 0.0.0.0:6222, routes: ${JSON.stringify(NATS_HOSTS.map((host) => `nats://${host}:6222`))} }`,
    accessConfiguration(passwords),
    '',
  ].join('\n');
}
