import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MillraceError } from '../../src/errors.ts';

/** The repository's root: where jobs and scripts are found. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** How a child is run. */
export interface ChildOptions {
  env: NodeJS.ProcessEnv;
  /** Interrupts the child. */
  signal: AbortSignal;
  /** Whole lines of its standard output; dropped when absent. */
  onLine?: (line: string) => void;
}

/** After an interrupt the child may take this long to end in good order. */
const GRACE_MS = 20_000;

/** Runs a command to its end, its standard error passed on. `aborted` when it fails, `cancelled` after an interrupt. */
export async function runChild(file: string, args: readonly string[], { env, signal, onLine }: ChildOptions): Promise<void> {
  if (signal.aborted) throw new MillraceError('cancelled', 'interrupted');
  const child = spawn(file, args, { cwd: ROOT, env, stdio: ['ignore', onLine ? 'pipe' : 'ignore', 'inherit'] });
  let patience: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    child.kill('SIGINT');
    patience = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    const [code] = await Promise.all([ended(child), onLine && readLines(child, onLine)]);
    if (signal.aborted) throw new MillraceError('cancelled', 'interrupted');
    if (code !== 0) throw new MillraceError('aborted', `${[file, ...args].join(' ')} ended with ${code}`);
  } finally {
    clearTimeout(patience);
    signal.removeEventListener('abort', interrupt);
  }
}

function ended(child: ChildProcess): Promise<number | NodeJS.Signals> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? signal!));
  });
}

async function readLines(child: ChildProcess, onLine: (line: string) => void): Promise<void> {
  let held = '';
  for await (const chunk of child.stdout!.setEncoding('utf8')) {
    const lines = (held + (chunk as string)).split('\n');
    held = lines.pop()!;
    lines.forEach(onLine);
  }
}
