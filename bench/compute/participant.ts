import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { MillraceError } from '../../src/errors.ts';
import type { Hello, Held, Kind, Loaded, Request, Timed } from './protocol.ts';

/** How to start a participant. */
export interface Command {
  name: string;
  file: string;
  args: readonly string[];
  env?: Record<string, string>;
}

/** Options of {@link Participant}. */
export interface ParticipantOptions {
  /** Pins it to this processor core, by `taskset`. Default: wherever the system puts it. */
  core?: number | undefined;
  /** Longest wait for any answer, in milliseconds. Default: four minutes. */
  patienceMs?: number;
  /** Ends the process. */
  signal?: AbortSignal;
}

const PATIENCE_MS = 240_000;

/** A process that computes what it is asked; see protocol.ts. */
export class Participant {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private problems = '';

  /** Starts it. */
  constructor(
    command: Command,
    private readonly options: ParticipantOptions = {},
  ) {
    this.name = command.name;
    const { core } = options;
    const [file, args] =
      core === undefined ? [command.file, command.args] : ['taskset', ['-c', String(core), command.file, ...command.args]];
    this.child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...ONE_THREAD, ...command.env },
    });
    this.child.on('error', (error) => (this.problems += error.message));
    this.child.stdin!.on('error', () => undefined);
    this.child.stderr!.on('data', (text: Buffer) => (this.problems = (this.problems + String(text)).slice(-4000)));
    options.signal?.addEventListener('abort', this.interrupted);
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  /** Waits for its first line. */
  hello(): Promise<Hello> {
    return this.read() as Promise<Hello>;
  }

  load(index: number, folder: string): Promise<Loaded> {
    return this.ask({ op: 'load', case: index, folder }) as Promise<Loaded>;
  }

  time(kind: Kind, repetitions: number, warmup: number): Promise<Timed> {
    return this.ask({ op: 'time', kind, repetitions, warmup }) as Promise<Timed>;
  }

  run(steps: number): Promise<Held> {
    return this.ask({ op: 'run', steps }) as Promise<Held>;
  }

  private readonly interrupted = (): void => void this.stop();

  /** Ends the process and waits until it is gone. */
  async stop(): Promise<void> {
    this.options.signal?.removeEventListener('abort', this.interrupted);
    if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined) return;
    const gone = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.kill('SIGKILL');
    await gone;
  }

  private ask(request: Request): Promise<unknown> {
    this.child.stdin!.write(`${JSON.stringify(request)}\n`);
    return this.read();
  }

  private async read(): Promise<unknown> {
    const { patienceMs = PATIENCE_MS } = this.options;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), patienceMs)));
    const line = await Promise.race([this.lines.next(), late]);
    clearTimeout(timer);
    this.options.signal?.throwIfAborted();
    if (line === 'late') throw this.failure('deadline_exceeded', `gave no answer within ${patienceMs / 1000} s`);
    if (line.done === true) throw this.failure('unavailable', 'ended');
    let message: unknown;
    try {
      message = JSON.parse(line.value);
    } catch {
      throw this.failure('internal', `answered ${JSON.stringify(line.value.slice(0, 200))}, which is no JSON`);
    }
    const { error } = message as { error?: string };
    if (error !== undefined) throw this.failure('internal', `failed: ${error}`);
    return message;
  }

  private failure(code: 'deadline_exceeded' | 'unavailable' | 'internal', what: string): MillraceError {
    const tail = this.problems.trim();
    return new MillraceError(code, `the process of ${this.name} ${what}${tail === '' ? '' : `; it printed:\n${tail}`}`, {
      retryable: false,
    });
  }
}

/** Everything that might start threads of its own. */
const ONE_THREAD = {
  OMP_NUM_THREADS: '1',
  OPENBLAS_NUM_THREADS: '1',
  MKL_NUM_THREADS: '1',
  TF_NUM_INTRAOP_THREADS: '1',
  TF_NUM_INTEROP_THREADS: '1',
  TF_CPP_MIN_LOG_LEVEL: '2',
};
