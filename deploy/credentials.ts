/**
 * Makes the credentials of a cluster in containers, and the configuration of its NATS servers: a folder for each part, which deploy/compose.yaml
 * mounts and deploy/kubernetes makes secrets of. What is there stays: run it again after an update that brings new credentials.
 *
 *   npx tsx deploy/credentials.ts deploy/cluster
 */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ROLE_NAMES } from '../src/protocol/roles.ts';
import { CREDENTIAL_FILES, natsPasswordFile, openCredentials, openNatsPasswords } from '../cluster/infra/credentials.ts';
import {
  accessConfiguration,
  FILE_STORE_BYTES,
  limitsConfiguration,
  MEMORY_STORE_BYTES,
} from '../cluster/infra/nats/configuration.ts';
import { ROLE_CREDENTIALS } from '../cluster/infra/role-files.ts';

/** The account that containers run as. */
const GROUP = 1000;
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
  for (const name of ROLE_CREDENTIALS[role]) put(role, CREDENTIAL_FILES[name], `${credentials[name]}\n`);
  put(role, natsPasswordFile(role), `${passwords[role]}\n`);
}
put('nats', 'nats.conf', natsConfiguration());

/** Writes a file that only its owner and the containers' group can read. */
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
    ...limitsConfiguration(),
    `jetstream { store_dir: /data, max_memory_store: ${MEMORY_STORE_BYTES}, max_file_store: ${FILE_STORE_BYTES} }`,
    `cluster { name: millrace, listen: 0.0.0.0:6222, routes: ${JSON.stringify(NATS_HOSTS.map((host) => `nats://${host}:6222`))} }`,
    accessConfiguration(passwords),
    '',
  ].join('\n');
}
