import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { CODE_FOLDER, dependencyFolders, FROM_SOURCES, PACKAGE_FOLDER } from '../../installation.ts';
import { GLOB } from '../incoming.ts';

/** Files and folders, each with all below it, that a confined process can reach. */
export interface Rules {
  readonly read: readonly string[];
  /** Read and written. */
  readonly write: readonly string[];
  /** Read, and run as a program. */
  readonly run: readonly string[];
}

/** Folders of the state folder that the store process writes. The others hold credentials, checkpoints and streams. */
export const STORE_FOLDERS = ['clickhouse', 'exports', 'logs'] as const;

/** Where tsx keeps compiled modules for all processes of this user. */
export const tsxCache = (): string => join(tmpdir(), `tsx-${userInfo().uid}`);

/** What Node.js and the engine read of the machine. */
const SYSTEM = [
  '/lib',
  '/lib64',
  '/usr/lib',
  '/usr/lib64',
  '/usr/local/lib',
  '/usr/share/locale',
  '/usr/share/zoneinfo',
  '/etc/localtime',
  '/etc/timezone',
  '/etc/ld.so.cache',
  '/etc/ld.so.preload',
  // Names of hosts.
  '/etc/resolv.conf',
  '/run/systemd/resolve',
  '/etc/nsswitch.conf',
  '/etc/hosts',
  '/etc/host.conf',
  '/etc/gai.conf',
  // Certificates.
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/pki/tls',
  '/etc/pki/ca-trust/extracted',
  '/usr/share/ca-certificates',
  '/dev/urandom',
  '/dev/random',
  // Processors and memory, and what a container may use of them.
  '/sys/devices/system',
  '/sys/fs/cgroup',
  '/sys/kernel/mm/transparent_hugepage',
  '/proc/cpuinfo',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/uptime',
  '/proc/sys/vm/overcommit_memory',
];

/** Of the process itself; not its environment, in which there may be secrets, and not its memory. */
const OWN = ['auxv', 'cgroup', 'io', 'limits', 'maps', 'mountinfo', 'smaps_rollup', 'stat', 'statm', 'status'];

/** Variables that name a file which Node.js reads. */
const FILE_VARIABLES = ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'OPENSSL_CONF', 'NODE_ICU_DATA', 'TZDIR'];

/**
 * What the process of the embedded store may reach: its own folders in `stateDir`, which must exist, and what it takes to load
 * Node.js, the engine and the store's code. Paths that this machine lacks are left out.
 *
 * @param files - what else it reads, e.g. certificates of the NATS servers
 */
export function storeRules(stateDir: string, env: NodeJS.ProcessEnv = process.env, files: readonly string[] = []): Rules {
  const own = STORE_FOLDERS.map((name) => join(stateDir, name));
  const code = ['proto', 'package.json', 'tsconfig.json'].map((name) => join(PACKAGE_FOLDER, name));
  code.push(...['src', 'cluster'].map((name) => join(CODE_FOLDER, name)));
  const read = [
    ...SYSTEM,
    ...OWN.map((name) => `/proc/self/${name}`),
    ...code,
    ...dependencyFolders(),
    // Read only, since other processes run what is in it; what is missing tsx compiles, and does without writing it.
    ...(FROM_SOURCES ? [tsxCache()] : []),
    ...FILE_VARIABLES.flatMap((name) => env[name] || []),
    ...files,
  ];
  const write = ['/dev/null', ...own, ...(GLOB.test(stateDir) ? [tmpdir()] : [])];
  return {
    read: read.filter(existsSync),
    write: write.filter(existsSync),
    run: [...loadedFiles(), ...(FROM_SOURCES ? compiler(env) : [])].filter(existsSync),
  };
}

/** Node.js itself, and the libraries and the loader that it runs with, wherever this machine keeps them. */
function loadedFiles(): string[] {
  const maps = readFileSync('/proc/self/maps', 'utf8');
  const paths = [...maps.matchAll(/^\S+ r-x\S* \S+ \S+ \S+ +(\/.*)$/gm)].map(([, path]) => path!);
  return [...new Set([process.execPath, ...paths])];
}

/** esbuild's program, with which tsx compiles a module that it does not have in its cache. */
function compiler(env: NodeJS.ProcessEnv): string[] {
  if (env['ESBUILD_BINARY_PATH']) return [env['ESBUILD_BINARY_PATH']];
  const require = createRequire(createRequire(import.meta.url).resolve('tsx/package.json'));
  try {
    return [require.resolve(`@esbuild/${process.platform}-${process.arch}/bin/esbuild`)];
  } catch {
    return [];
  }
}
