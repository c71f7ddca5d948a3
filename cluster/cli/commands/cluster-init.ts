import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { MillraceError } from '../../../src/errors.ts';
import type { CliContext } from '../context.ts';

interface InitFlags {
  name: string;
  nats: string;
  replicas?: string;
  hosts?: string;
}

/** `millrace cluster init`: what the hosts of a new cluster need, in a folder. */
export function register(cluster: Command, context: CliContext): void {
  cluster
    .command('init')
    .argument('<folder>', 'where the files go; made, and refused unless empty')
    .description(
      'make the authority, NATS configuration, settings and credentials of a cluster of several hosts, in a new folder',
    )
    .requiredOption('--name <name>', 'name of the cluster in its certificates: letters, digits, "_", "-" and "."')
    .requiredOption('--nats <url,…>', 'addresses of its NATS servers, like tls://a:4222,tls://b:4222,tls://c:4222')
    .option('--replicas <n>', 'copies of streams: 1, 3 or 5 (default: 3 with three servers or more, else 1)')
    .option(
      '--hosts <host,…>',
      'host names and addresses of its nodes, for their certificates; those of the NATS servers are added',
    )
    .action(async (folder: string, flags: InitFlags) => init(context, resolve(context.cwd, folder), flags));
}

async function init(context: CliContext, folder: string, { name, nats, replicas, hosts }: InitFlags): Promise<void> {
  const servers = list(nats).map((text) => {
    if (/^(nats|tls):\/\//.test(text) && URL.canParse(text)) return new URL(text);
    throw wrong('--nats', text, 'an address like tls://host:4222');
  });
  if (replicas !== undefined && !/^[135]$/.test(replicas)) throw wrong('--replicas', replicas, '1, 3 or 5');
  makeEmptyFolder(folder);
  const { clusterFiles } = await import('../../infra/cluster-files.ts');
  const files = await clusterFiles({
    name,
    nats: servers,
    replicas: replicas === undefined ? undefined : (Number(replicas) as 1 | 3 | 5),
    hosts: hosts === undefined ? [] : list(hosts),
  });
  for (const { path, content, secret } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, path), content, { mode: secret ? 0o600 : 0o644, flag: 'wx' });
  }
  context.print({ folder, files: files.map(({ path }) => path) }, () => nextSteps(folder, servers));
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '');

function wrong(field: string, got: string, expected: string): MillraceError {
  return new MillraceError('invalid_argument', `${field}: got "${got}", expected ${expected}.`, { field });
}

/** Makes the folder, for this account only. Secrets of another cluster are never written over. */
function makeEmptyFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (readdirSync(folder).length > 0)
    throw new MillraceError('failed_precondition', `${folder} is not empty; name a new folder.`, { field: 'folder' });
  chmodSync(folder, 0o700);
}

function nextSteps(folder: string, servers: readonly URL[]): string {
  const copies = servers.map(({ hostname }, i) => `  nats/n${i + 1}  to ${hostname}; there: nats-server --config nats.conf`);
  return [
    `The files of the cluster are in ${folder}. Copy to each host what it runs, and nothing else:`,
    ...copies,
    '  roles/ROLE  to each host of that role; there:',
    '    millrace node run --roles ROLE --config cluster.yaml --set network.advertise=HOST',
    '    (coordinators also: --set ports.admin=7500; hosts without a common folder: artifacts.url, see docs/configuration.md)',
    'Or copy only those of NATS and one coordinator: other hosts join through it (millrace cluster token create, millrace join).',
    'Do not copy ca/ to any host, and protect coordinator hosts: anyone with ca.key can issue certificates. To check the cluster, in admin/:',
    '    millrace --address HOST:7500 --token-file credentials/admin.token --tls-ca credentials/ca.pem \\',
    '      --tls-cert credentials/node.pem --tls-key credentials/node.key node list',
    '',
  ].join('\n');
}
