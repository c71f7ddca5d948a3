import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MillraceError } from '../../src/errors.ts';
import {
  accessConfiguration,
  FILE_STORE_BYTES,
  limitsConfiguration,
  MAIN_ACCOUNT,
  MEMORY_STORE_BYTES,
  type NatsPasswords,
} from './nats/configuration.ts';
import { withoutClusterSettings } from './node-environment.ts';
import { endsWithParent } from './parent-death.ts';
import { withPrivateFiles } from './state-folder.ts';

/** Options of {@link startNatsServer}. */
export interface NatsServerOptions {
  /** Folder of its configuration, its process id and (in `jetstream/`) its streams; made if missing. One server at a time. */
  storeDir: string;
  /** 0 = any free port. Default 0. */
  port?: number;
  /** Address it listens on. Default 127.0.0.1. */
  host?: string;
  /** Largest message in bytes. Default 8 MiB. */
  maxPayload?: number;
  /** Who may connect, and do what. Default: everyone, everything. */
  passwords?: NatsPasswords | undefined;
  /** Disk that its streams may take, in bytes. Default 32 GiB: more than the size limits of all streams together. */
  maxFileStore?: number;
  /** Stops the server when aborted. */
  signal?: AbortSignal;
  /** Bound of the start, in ms. Default 15_000. */
  startTimeoutMs?: number;
}

/** A running nats-server. */
export interface NatsServerProcess {
  /** What clients connect to. */
  url: string;
  port: number;
  pid: number;
  /** Ends it and waits until it is gone: asked to first, killed after 5 s. */
  stop(): Promise<void>;
  /** Resolves when it is gone, wanted or not. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const STOP_TIMEOUT_MS = 5000;
const POLL_MS = 20;

/**
 * Path of the nats-server binary: environment NATS_SERVER, then PATH, then /usr/sbin and /usr/local/bin. Throws
 * `failed_precondition` with the command that installs it.
 */
export async function findNatsServer(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const named = env['NATS_SERVER'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new MillraceError('failed_precondition', `NATS_SERVER=${named} is not a program that can be run; correct or unset it`, {
      field: 'NATS_SERVER',
    });
  }
  const folders = [...(env['PATH'] ?? '').split(delimiter).filter((f) => f !== ''), '/usr/sbin', '/usr/local/bin'];
  for (const folder of folders) {
    const path = join(folder, 'nats-server');
    if (await isExecutable(path)) return path;
  }
  throw new MillraceError(
    'failed_precondition',
    'nats-server is not installed; on Debian run: apt-get update && apt-get install -y --no-install-recommends nats-server ' +
      '(elsewhere download it from https://github.com/nats-io/nats-server/releases and set NATS_SERVER to its path)',
    { field: 'NATS_SERVER' },
  );
}

/**
 * Starts nats-server with JetStream on a file store and resolves when it answers. It gets a process group of its own, so
 * that Ctrl-C in a terminal reaches us first and nodes can still hand their work back. Throws `failed_precondition` when the
 * binary is missing, the port is taken or the folder is in use, `unavailable` when it does not answer in time.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServerProcess> {
  const binary = await findNatsServer();
  const host = options.host ?? '127.0.0.1';
  const folder = resolve(options.storeDir);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const pidFile = join(folder, 'nats-server.pid');
  await checkUnused(pidFile, folder);
  if (options.passwords !== undefined) await takeOverStreams(folder);
  const configFile = join(folder, 'nats-server.conf');
  await writeFile(configFile, configuration(options, host, folder, pidFile), { mode: 0o600 });

  const [command, ...prefix] = [...endsWithParent('TERM'), binary];
  const child = withPrivateFiles(() =>
    spawn(command!, [...prefix, '--config', configFile], {
      env: withoutClusterSettings(process.env),
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    }),
  );
  const log = lastLines(child, 20);
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    child.once('error', () => done({ code: null, signal: null }));
    child.once('exit', (code, signal) => done({ code, signal }));
  });
  let gone = false;
  void exited.then(() => (gone = true));
  const stop = (): Promise<void> => end(child, exited, () => gone);
  const onAbort = (): void => void stop();
  options.signal?.addEventListener('abort', onAbort, { once: true });
  // Whatever ends this process without stop(), short of a kill, must not leave the server behind.
  const onExit = (): void => void child.kill('SIGTERM');
  process.once('exit', onExit);
  void exited.then(() => {
    options.signal?.removeEventListener('abort', onAbort);
    process.removeListener('exit', onExit);
  });

  const deadline = performance.now() + (options.startTimeoutMs ?? 15_000);
  const portsFile = join(folder, `nats-server_${child.pid}.ports`);
  let port = options.port ?? 0;
  try {
    for (;;) {
      if (options.signal?.aborted === true) throw new MillraceError('cancelled', 'starting nats-server was cancelled');
      if (gone) {
        throw new MillraceError('failed_precondition', `nats-server (${binary}) did not start:\n${log.join('\n')}`, {
          field: 'storeDir',
        });
      }
      if (port === 0) port = await readPort(portsFile);
      if (port !== 0 && (await answers(host, port, options.passwords))) break;
      if (performance.now() > deadline) {
        throw new MillraceError('unavailable', `nats-server does not answer on ${host}:${port}:\n${log.join('\n')}`);
      }
      await sleep(POLL_MS);
    }
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return { url: `nats://${host}:${port}`, port, pid: child.pid!, stop, exited };
}

function configuration(options: NatsServerOptions, host: string, folder: string, pidFile: string): string {
  return [
    '# Written at every start.',
    'server_name: millrace',
    `host: ${JSON.stringify(host)}`,
    `port: ${options.port === undefined || options.port === 0 ? -1 : options.port}`,
    ...limitsConfiguration(options.maxPayload),
    `pid_file: ${JSON.stringify(pidFile)}`,
    `ports_file_dir: ${JSON.stringify(folder)}`,
    'jetstream {',
    `  store_dir: ${JSON.stringify(folder)}`,
    `  max_memory_store: ${MEMORY_STORE_BYTES}`,
    `  max_file_store: ${options.maxFileStore ?? FILE_STORE_BYTES}`,
    '}',
    ...(options.passwords === undefined ? [] : [accessConfiguration(options.passwords)]),
    '',
  ].join('\n');
}

/** Streams of a server that knew no accounts go on in the main one. */
async function takeOverStreams(folder: string): Promise<void> {
  const [before, now] = [join(folder, 'jetstream', '$G'), join(folder, 'jetstream', MAIN_ACCOUNT)];
  if (await exists(now)) return;
  await rename(before, now).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error;
  });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Two servers on one store destroy it. */
async function checkUnused(pidFile: string, folder: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!Number.isInteger(pid) || pid <= 0) return;
  // The number may have gone to another program since.
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  const running = command === '' ? isAlive(pid) && process.platform !== 'linux' : command.includes('nats-server');
  if (running) {
    throw new MillraceError(
      'failed_precondition',
      `nats-server (process ${pid}) is already running on ${folder}; stop it first: kill ${pid}`,
      {
        field: 'storeDir',
      },
    );
  }
  await rm(pidFile, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The port the server chose, from the file it writes about it; 0 while there is none. */
async function readPort(file: string): Promise<number> {
  try {
    const { nats } = JSON.parse(await readFile(file, 'utf8')) as { nats: string[] };
    return Number(new URL(nats[0]!).port);
  } catch {
    return 0;
  }
}

/** Whether the server greets with JetStream on and answers a ping. */
function answers(host: string, port: number, passwords: NatsPasswords | undefined): Promise<boolean> {
  const login = passwords && { user: 'supervisor', pass: passwords.supervisor };
  const hello = JSON.stringify({ verbose: false, pedantic: false, ...login });
  return new Promise((done) => {
    const socket = connect({ host, port, timeout: 1000 });
    let text = '';
    const finish = (ok: boolean): void => {
      socket.destroy();
      done(ok);
    };
    socket.once('error', () => finish(false));
    socket.once('timeout', () => finish(false));
    socket.once('close', () => finish(false));
    socket.on('data', (chunk) => {
      const greeted = text.includes('\r\n');
      text += chunk.toString('latin1');
      if (/^-ERR/m.test(text) || (text.includes('\r\n') && !/"jetstream":\s*true/.test(text))) finish(false);
      else if (text.includes('PONG\r\n')) finish(true);
      else if (!greeted && text.includes('\r\n')) socket.write(`CONNECT ${hello}\r\nPING\r\n`);
    });
  });
}

async function end(child: ChildProcess, exited: Promise<unknown>, gone: () => boolean): Promise<void> {
  if (gone()) return;
  child.kill('SIGTERM');
  const timeout = new AbortController();
  await Promise.race([exited, sleep(STOP_TIMEOUT_MS, undefined, { signal: timeout.signal }).catch(() => {})]);
  timeout.abort();
  if (!gone()) child.kill('SIGKILL');
  await exited;
}

/** The newest lines of what it says, for the error when it does not start. */
function lastLines(child: ChildProcess, count: number): string[] {
  const lines: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    lines.push(...text.split('\n').filter((line) => line !== ''));
    lines.splice(0, lines.length - count);
  });
  return lines;
}
