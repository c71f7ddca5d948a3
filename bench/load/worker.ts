import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { endsWithParent } from '../../cluster/infra/parent-death.ts';
import { MillraceError, type ErrorCode } from '../../src/errors.ts';

/** What a worker says: an event while it works, and at the end of each order its result or why there is none. */
type Reply<Event, Result> =
  { kind: 'event'; event: Event } | { kind: 'result'; result: Result } | { kind: 'error'; code: ErrorCode; message: string };

/** Options of {@link startWorker}. */
export interface WorkerOptions<Event> {
  /** Module that calls {@link serveOrders}. */
  entry: URL;
  /** Said in errors and in the list of processes. */
  name: string;
  onEvent?: (event: Event) => void;
  /** Flags of Node.js. */
  execArgv?: readonly string[];
  /** Arguments of the module. Default: none. */
  args?: readonly string[];
}

/** A process of ours that takes one order at a time. */
export interface Worker<Order, Result> {
  readonly name: string;
  readonly pid: number;
  /** Gives an order; rejects with what the worker threw, or `unavailable` when it died. */
  order(order: Order): Promise<Result>;
  /** Ends it: asked to first, killed after `graceMs` (default 5000). */
  stop(graceMs?: number): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): void;
  /** Resolves when it is gone. */
  readonly exited: Promise<void>;
}

/** Starts a process that ends with this one, whatever happens. */
export function startWorker<Order, Result, Event = never>(options: WorkerOptions<Event>): Worker<Order, Result> {
  const { entry, name, onEvent } = options;
  const [command, ...prefix] = [...endsWithParent('KILL'), process.execPath];
  const path = fileURLToPath(entry);
  const child = fork(path, options.args ?? [], {
    execPath: command!,
    execArgv: [...prefix, ...(options.execArgv ?? []), ...(path.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [])],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let pending: { resolve: (result: Result) => void; reject: (error: MillraceError) => void } | undefined;
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  child.on('message', (reply: Reply<Event, Result>) => {
    if (reply.kind === 'event') return onEvent?.(reply.event);
    const waiting = pending;
    pending = undefined;
    if (reply.kind === 'result') waiting?.resolve(reply.result);
    else waiting?.reject(new MillraceError(reply.code, `${name}: ${reply.message}`));
  });
  const exited = new Promise<void>((resolve) => {
    const gone = (how: string): void => {
      pending?.reject(new MillraceError('unavailable', `${name} ended with ${how} before it was done: ${said.trim()}`));
      pending = undefined;
      resolve();
    };
    child.once('error', (error) => gone(error.message));
    child.once('exit', (code, signal) => gone(String(signal ?? code)));
  });
  return {
    name,
    pid: child.pid!,
    exited,
    order: (order) =>
      new Promise((resolve, reject) => {
        if (pending) throw new MillraceError('failed_precondition', `${name} is at work already`);
        pending = { resolve, reject };
        child.send({ order }, (error) => {
          if (!error) return;
          pending = undefined;
          reject(new MillraceError('unavailable', `${name} cannot be reached: ${error.message}`));
        });
      }),
    stop: (graceMs = 5000) => end(child, exited, graceMs),
    kill: () => void child.kill('SIGKILL'),
  };
}

async function end(child: ChildProcess, exited: Promise<void>, graceMs: number): Promise<void> {
  if (child.connected) child.disconnect();
  const kill = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(kill);
}

/**
 * The other end: runs orders until whoever started this process lets go of it, then `close`. Ctrl-C in a terminal reaches the
 * whole group; the parent decides when a worker ends.
 */
export function serveOrders<Order, Result, Event = never>(
  handle: (order: Order, emit: (event: Event) => void) => Promise<Result>,
  close: () => Promise<void> = () => Promise.resolve(),
): void {
  const say = (reply: Reply<Event, Result>): void => {
    if (process.connected) process.send!(reply, undefined, undefined, () => {});
  };
  process.on('SIGINT', () => undefined);
  process.on('message', (message: { order: Order }) => {
    handle(message.order, (event) => say({ kind: 'event', event })).then(
      (result) => say({ kind: 'result', result }),
      (thrown: unknown) => {
        const { code, message } = MillraceError.from(thrown);
        say({ kind: 'error', code, message });
      },
    );
  });
  process.on('disconnect', () => {
    const leave = (): never => process.exit(0);
    close().then(leave, leave);
  });
}
