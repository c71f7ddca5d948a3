import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { deferred } from '../../cluster/up/deferred.ts';
import { endsWithParent } from '../../cluster/infra/parent-death.ts';
import type { FromNode, ToNode } from '../../cluster/runtime/ipc.ts';
import type { NodeSettings } from '../../cluster/runtime/settings/node.ts';
import { MillraceError } from '../../src/errors.ts';

/** A store node that is started again, after the same short pause every time: one that is killed on purpose is not to blame. */
export interface StoreNode {
  readonly pid: number | undefined;
  /** Resolves when it is up for the first time; rejects when it ends before. */
  readonly ready: Promise<void>;
  /** Of its gRPC server, as it is now. */
  address(): Promise<string>;
  /** Ends it for good: asked to first, killed after `timeoutMs`. */
  stop(timeoutMs: number): Promise<void>;
}

const ENTRY = fileURLToPath(new URL('../../cluster/node/main.ts', import.meta.url));
const PAUSE_MS = 200;

/** Starts a node as the supervisor of a cluster does, but without growing pauses between its restarts. */
export function startStoreNode(settings: NodeSettings): StoreNode {
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopping = false;
  let exited: Promise<void> = Promise.resolve();
  let address = deferred<string>();
  const first = address.promise.then(() => undefined);
  const start = (afterCrash: boolean): void => {
    const [command, ...prefix] = [...endsWithParent('KILL'), process.execPath];
    const started = fork(ENTRY, [settings.id, settings.stateDir], {
      execPath: command!,
      execArgv: [...prefix, '--import', import.meta.resolve('tsx')],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    child = started;
    started.send({ kind: 'start', settings, history: { afterCrash } } satisfies ToNode, () => {});
    let said = '';
    started.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
    started.on('message', (message: FromNode) => {
      if (message.kind === 'ready') address.resolve(message.address);
      if (message.kind === 'error') said = message.message;
    });
    exited = new Promise((resolve) => {
      started.once('exit', () => {
        child = undefined;
        resolve();
        if (!afterCrash) address.reject(new MillraceError('unavailable', `the store node ended: ${said.trim()}`));
        if (stopping) return;
        address = deferred<string>();
        timer = setTimeout(start, PAUSE_MS, true);
      });
    });
  };
  start(false);
  return {
    get pid() {
      return child?.pid;
    },
    ready: first,
    address: () => address.promise,
    async stop(timeoutMs) {
      stopping = true;
      clearTimeout(timer);
      const running = child;
      if (!running) return;
      if (running.connected) running.send({ kind: 'stop' }, () => {});
      const kill = setTimeout(() => running.kill('SIGKILL'), timeoutMs);
      await exited;
      clearTimeout(kill);
    },
  };
}
