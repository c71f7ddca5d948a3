import { fork, type ChildProcess } from 'node:child_process';
import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { MillraceError } from '../../src/errors.ts';
import { entryOf } from '../../src/installation.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import { blackBoxFile, readBlackBox, takeBlackBox } from '../flow-watch/black-box.ts';
import type { NodeEnd } from '../runtime/node-end.ts';
import { needsPerson } from '../infra/topology-start.ts';
import { deferred } from './deferred.ts';
import { logTail } from './log-tail.ts';
import { withoutClusterSettings } from '../infra/node-environment.ts';
import { endsWithParent } from '../infra/parent-death.ts';
import type { FromNode, ToNode } from '../runtime/ipc.ts';
import { roleNames, type NodeSettings } from '../runtime/settings/node.ts';
import { mainThreadUse, SilenceMeter } from './silence.ts';
import { withPrivateFiles } from '../infra/state-folder.ts';

/** Options of {@link superviseNode}. */
export interface ChildOptions {
  settings: NodeSettings;
  /** Added to the environment of this process. Default: nothing. */
  env?: Readonly<Record<string, string>>;
  /** Command that the process is started through. Default: none. */
  through?: readonly string[] | undefined;
  log: Logger;
  /** Told in words when the node ends before it is up, also when it was started again. */
  onTrouble?: ((text: string) => void) | undefined;
}

/** A node process that is started again whenever it dies. */
export interface SupervisedNode {
  readonly id: string;
  readonly roles: readonly RoleName[];
  readonly pid: number | undefined;
  readonly restarts: number;
  /** What it does while it starts for the first time; undefined once it is up. */
  readonly step: string | undefined;
  /** Resolves when the node is up for the first time; rejects when it cannot start. */
  readonly ready: Promise<void>;
  /** Port of its ClickHouse interface: the one that it had when it was ready first, and has again after a restart. */
  readonly clickhousePort: number | undefined;
  /** gRPC address of the process as it is now. */
  address(): Promise<string>;
  /** Asks it to end and kills it when it does not within `timeoutMs` (default 10 s). */
  stop(timeoutMs?: number): Promise<void>;
}

const ENTRY = entryOf(new URL('../node/main.ts', import.meta.url));
const FIRST_DELAY_MS = 200;
const LAST_DELAY_MS = 5_000;
/** A node that ran this long has shown that it can: the next restart is quick again. */
const STABLE_MS = 20_000;
/** Starts that fail before the node was ever up. */
const MAX_FIRST_STARTS = 3;
/** The same where a start failed because something did not answer in time: on a slow machine it may the next time. */
const MAX_SLOW_STARTS = 10;
/** Lines of the node's log that are shown when it cannot start. */
const LOG_LINES = 5;
const PING_MS = 5_000;
/**
 * A process that does not turn its event loop for this long (a tool in an endless loop), although it could, is killed and started
 * again; see {@link SilenceMeter}.
 */
const SILENCE_MS = 60_000;

/** Starts a node process and keeps it running. */
export function superviseNode(options: ChildOptions): SupervisedNode {
  const { settings, log, env, through = [], onTrouble } = options;
  const { id } = settings;
  const roles = roleNames(settings);
  let child: ChildProcess | undefined;
  let exited: Promise<void> = Promise.resolve();
  let stopping = false;
  let wasReady = false;
  let starts = 0;
  let delay = FIRST_DELAY_MS;
  let timer: NodeJS.Timeout | undefined;
  /** What it said when it could not go on, or the end of what it wrote to stderr. */
  let lastError = '';
  let lastFailure: (FromNode & { kind: 'error' }) | undefined;
  let step = 'loading';
  const logFile = resolve(settings.stateDir, 'logs', `${id}.log`);
  let address = deferred<string>();
  let clickhousePort: number | undefined;
  let previousEnd: NodeEnd | undefined;
  const ready = deferred<void>();

  const start = (): void => {
    starts += 1;
    const startedAt = Date.now();
    let isReady = false;
    let silent = false;
    let rssBytes: number | undefined;
    lastError = '';
    lastFailure = undefined;
    step = 'loading';
    address = deferred<string>();
    // Killed, not asked: nats-server goes at the same time, and there is nobody left to hand work back to.
    const [command, ...prefix] = [...endsWithParent('KILL'), ...through, process.execPath];
    const process_ = withPrivateFiles(() =>
      // The arguments are for people who look at the list of processes.
      fork(ENTRY.file, [id, settings.stateDir], {
        execPath: command!,
        execArgv: [...prefix, ...heapFlags(roles), ...ENTRY.nodeArguments],
        env: { ...withoutClusterSettings(process.env), ...env },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      }),
    );
    const history = { afterCrash: starts > 1, wasUp: wasReady, previousEnd };
    tell(process_, { kind: 'start', settings: withClickHousePort(settings, clickhousePort), history });
    child = process_;
    process_.stderr?.on('data', (data: Buffer) => (lastError = (lastError + data.toString()).slice(-4000)));
    const silence = new SilenceMeter(() => mainThreadUse(process_.pid ?? 0));
    const ping = setInterval(() => {
      if (silence.passed(PING_MS) > SILENCE_MS) {
        silent = true;
        const running = readBlackBox(blackBoxFile(settings.stateDir, id));
        log.error({ node: id, running }, `node has not answered for ${SILENCE_MS / 1000} s; killing it`);
        process_.kill('SIGKILL');
      } else if (process_.connected) {
        tell(process_, { kind: 'ping' });
      }
    }, PING_MS);
    process_.on('message', (message: FromNode) => {
      silence.heard();
      if (message.kind === 'pong') {
        rssBytes = message.rssBytes;
      } else if (message.kind === 'ready') {
        wasReady = isReady = true;
        clickhousePort ??= message.clickhousePort;
        address.resolve(message.address);
        ready.resolve();
      } else if (message.kind === 'starting') {
        step = message.step;
      } else if (message.kind === 'trouble') {
        onTrouble?.(message.text);
      } else if (message.kind === 'error') {
        lastError = message.message;
        lastFailure = message;
      }
    });
    exited = new Promise((done) => {
      process_.once('exit', (code, signal) => {
        clearInterval(ping);
        child = undefined;
        done();
        if (stopping) return;
        const how = silent ? `it did not answer for ${SILENCE_MS / 1000} s` : (signal ?? `exit code ${code}`);
        const last = takeBlackBox(blackBoxFile(settings.stateDir, id));
        previousEnd = { how, outOfMemory: /out of memory/i.test(lastError), rssBytes, last };
        const said = lastError.trim();
        log.warn({ node: id, pid: process_.pid, error: said, last }, `node ended (${how}); starting it again`);
        const givesUp = !wasReady && starts >= mostStarts(lastFailure);
        if (!isReady)
          onTrouble?.(`node ${id} did not start (${how}): ${essence(lastError)}; ${givesUp ? 'giving up' : 'trying again'}`);
        if (givesUp) {
          const why = `Node ${id} cannot start (${how}): ${essence(lastError)}`;
          const error = new MillraceError('unavailable', [why, ...endOfLog(logFile, startedAt)].join('\n'));
          address.reject(error);
          ready.reject(error);
          return;
        }
        delay = Date.now() - startedAt > STABLE_MS ? FIRST_DELAY_MS : Math.min(delay * 2, LAST_DELAY_MS);
        timer = setTimeout(start, delay);
      });
    });
  };
  start();

  return {
    id,
    roles,
    get pid() {
      return child?.pid;
    },
    get restarts() {
      return starts - 1;
    },
    get step() {
      return wasReady ? undefined : step;
    },
    ready: ready.promise,
    get clickhousePort() {
      return clickhousePort;
    },
    address: () => address.promise,
    async stop(timeoutMs = 10_000) {
      stopping = true;
      clearTimeout(timer);
      const running = child;
      if (!running) return;
      if (running.connected) tell(running, { kind: 'stop' });
      const kill = setTimeout(() => running.kill('SIGKILL'), timeoutMs);
      await exited;
      clearTimeout(kill);
    },
  };
}

/** Clients know where the ClickHouse interface was: it opens there again. */
function withClickHousePort(settings: NodeSettings, port: number | undefined): NodeSettings {
  if (port === undefined) return settings;
  const roles = settings.roles.map((section) =>
    section.role === 'store' && section.clickhouseInterface
      ? { ...section, clickhouseInterface: { ...section.clickhouseInterface, port } }
      : section,
  );
  return { ...settings, roles };
}

/** What the node's log says of a start. */
function endOfLog(path: string, since: number): string[] {
  const lines = logTail(path, LOG_LINES, since);
  return lines.length === 0 ? [`nothing was written to ${path}`] : [`the end of ${path}:`, ...lines.map((line) => `  ${line}`)];
}

/** How often a node that was never up is started; what is wrong with its settings stays wrong. */
function mostStarts(failure: (FromNode & { kind: 'error' }) | undefined): number {
  if (failure && needsPerson(failure)) return 1;
  const code = failure?.code;
  return code === 'unavailable' || code === 'deadline_exceeded' ? MAX_SLOW_STARTS : MAX_FIRST_STARTS;
}

/**
 * What a group's flows make lives for as long as the group, and what a round's gradients and weights are copied through for as long as
 * the round: some hundred milliseconds. With the usual young generation of 16 MB it is copied twice and kept, and a sixth of the
 * process's time goes into that.
 */
function heapFlags(roles: readonly RoleName[]): string[] {
  return roles.some((role) => role === 'rollout' || role === 'parameter-server') ? ['--max-semi-space-size=64'] : [];
}

/** Of an uncaught error as Node prints it, the line that says what it is. */
function essence(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  const said = lines.find((line) => /^(\w*Error\b|Error \[)/.test(line)) ?? lines.filter((line) => line !== '').at(-1);
  return said ?? "no message; the supervisor's log and the node's own say more";
}

/** A process that has just died does not get it; its end is handled where it is noticed. */
function tell(child: ChildProcess, message: ToNode): void {
  child.send(message, () => {});
}
