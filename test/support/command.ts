import { execFile, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import { entryOf } from '../../src/installation.ts';

const SCRIPT = fileURLToPath(new URL('../../bin/millrace.js', import.meta.url));
export const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** A command line of its own process, as a person runs it. */
export interface RunningCommand {
  readonly pid: number;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  kill(signal: NodeJS.Signals): void;
  /** Ctrl-C in its terminal: SIGINT to it and to every process of its group. */
  interrupt(): void;
  /** Waits until its output on both streams matches; fails when it ends before, or after `timeoutMs` (default 60 s). */
  until(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
}

/** Commands that have not ended. A test that ran out of time leaves its command here. */
const open = new Set<number>();
afterAll(() => {
  for (const pid of open) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }
});

/** Without the variables of whoever runs the test. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(MILLRACE|NATS_URL|CLICKHOUSE)/.test(name));
  return Object.fromEntries(inherited);
}

/** Starts `millrace …` without the variables of whoever runs the test. */
export function millrace(args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}): RunningCommand {
  const child = spawn(process.execPath, [SCRIPT, ...args], {
    cwd: options.cwd ?? REPOSITORY,
    env: { ...ownEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own, as a shell gives it.
    detached: true,
  });
  open.add(child.pid!);
  const output = { stdout: '', stderr: '' };
  let over: number | NodeJS.Signals | undefined;
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      open.delete(child.pid!);
      resolve((over = code ?? signal!));
    });
  });
  return {
    pid: child.pid!,
    get stdout() {
      return output.stdout;
    },
    get stderr() {
      return output.stderr;
    },
    ended,
    kill: (signal) => void child.kill(signal),
    interrupt: () => void process.kill(-child.pid!, 'SIGINT'),
    async until(pattern, timeoutMs = 60_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const found = pattern.exec(output.stdout) ?? pattern.exec(output.stderr);
        if (found) return found;
        if (over !== undefined || Date.now() > deadline) {
          const how =
            over === undefined ? `has not said ${pattern} in ${timeoutMs} ms` : `ended with ${over}, without ${pattern}`;
          throw new Error(`millrace ${args.join(' ')} ${how}:\n${output.stderr}\n${output.stdout}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

/** Runs it to its end, which must come within `timeoutMs` (default 60 s). */
export async function millraceToEnd(
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeoutMs?: number } = {},
): Promise<{ code: number | NodeJS.Signals; stdout: string; stderr: string }> {
  const command = millrace(args, options);
  const timer = setTimeout(() => command.kill('SIGKILL'), options.timeoutMs ?? 60_000);
  const code = await command.ended;
  clearTimeout(timer);
  return { code, stdout: command.stdout, stderr: command.stderr };
}

const IN_TURN = `
  const [file, commands] = process.argv.slice(1);
  const { main } = await import(file);
  const ended = [];
  for (const args of JSON.parse(commands)) {
    const said = { stdout: '', stderr: '' };
    const stream = (name) => ({ write: (text) => (said[name] += text) });
    const { signal } = new AbortController();
    const output = { stdout: stream('stdout'), stderr: stream('stderr') };
    ended.push({ code: await main(args, { ...output, env: process.env, cwd: process.cwd(), signal }), ...said });
  }
  process.stdout.write(JSON.stringify(ended), () => process.exit(0));`;

/** Runs several command lines one after the other in one process of their own, which saves starting one for each. */
export async function millraceInTurn(
  commands: readonly (readonly string[])[],
  cwd: string,
): Promise<{ code: number; stdout: string; stderr: string }[]> {
  const { file, nodeArguments } = entryOf(new URL('../../cluster/cli/main.ts', import.meta.url));
  const script = ['--input-type=module', '--eval', IN_TURN, pathToFileURL(file).href, JSON.stringify(commands)];
  const { stdout } = await promisify(execFile)(process.execPath, [...nodeArguments, ...script], {
    cwd,
    env: ownEnvironment(),
    timeout: 60_000,
  });
  return JSON.parse(stdout) as { code: number; stdout: string; stderr: string }[];
}

/** The processes that have a state folder in their command line or their environment, other than this one. */
export async function processesOf(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)) {
    const [command, environment] = await Promise.all(
      ['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')),
    );
    if (!command!.includes(folder) && !environment!.includes(folder)) continue;
    found.push(`${pid} ${command!.replaceAll('\0', ' ')}`.trim());
  }
  return found;
}

/** Waits until no process of a state folder is left; what is left after `timeoutMs` is returned. */
export async function processesGone(folder: string, timeoutMs: number): Promise<string[]> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const left = await processesOf(folder);
    if (left.length === 0 || Date.now() > deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
