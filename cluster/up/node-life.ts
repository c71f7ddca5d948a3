import { fork, type ChildProcess } from 'node:child_process';
import type { Logger } from 'pino';
import { entryOf } from '../../src/installation.ts';
import type { RoleName } from '../../src/protocol/roles.ts';
import { blackBoxFile, readBlackBox, takeBlackBox } from '../flow-watch/black-box.ts';
import { withoutClusterSettings } from '../infra/node-environment.ts';
import { endsWithParent } from '../infra/parent-death.ts';
import { withPrivateFiles } from '../infra/state-folder.ts';
import type { FromNode, ToNode } from '../runtime/ipc.ts';
import type { NodeEnd } from '../runtime/node-end.ts';
import { roleNames, type NodeSettings } from '../runtime/settings/node.ts';
import { mainThreadUse, SilenceMeter } from './silence.ts';
import type { NodeFailure } from './start-failure.ts';

const ENTRY = entryOf(new URL('../node/main.ts', import.meta.url));
const PING_MS = 5_000;
/**
 * A process that does not turn its event loop for this long (a tool in an endless loop), although it could, is killed and started
 * again; see {@link SilenceMeter}.
 */
const SILENCE_MS = 60_000;
/** Characters of what a process writes to stderr that are kept. */
const STDERR_LENGTH = 4000;

/** What a {@link NodeLife} begins with. */
export interface NodeLifeOptions {
  settings: NodeSettings;
  /** What the node is told of the lives before this one. */
  history: (ToNode & { kind: 'start' })['history'];
  /** Added to the environment of this process. */
  env: Readonly<Record<string, string>> | undefined;
  /** Command that the process is started through. */
  through: readonly string[];
  log: Logger;
  /** Called with what it says when it is up. */
  onReady: (ready: FromNode & { kind: 'ready' }) => void;
  onTrouble?: ((text: string) => void) | undefined;
}

/** One process of a node, from its start to its end: what it reports, and whether it still answers. */
export class NodeLife {
  readonly startedAt = Date.now();
  /** Resolves when the process has ended, with how. */
  readonly ended: Promise<NodeEnd>;
  readonly #options: NodeLifeOptions;
  readonly #process: ChildProcess;
  readonly #silence: SilenceMeter;
  #isReady = false;
  #silent = false;
  #step = 'loading';
  #rssBytes: number | undefined;
  #lastError = '';
  #failure: NodeFailure | undefined;

  constructor(options: NodeLifeOptions) {
    const { settings, history } = options;
    this.#options = options;
    this.#process = startProcess(options);
    this.#tell({ kind: 'start', settings, history });
    this.#process.stderr?.on('data', (data: Buffer) => {
      this.#lastError = (this.#lastError + data.toString()).slice(-STDERR_LENGTH);
    });
    this.#silence = new SilenceMeter(() => mainThreadUse(this.#process.pid ?? 0));
    const ping = setInterval(() => this.#ping(), PING_MS);
    this.#process.on('message', (message: FromNode) => this.#receive(message));
    this.ended = new Promise((resolve) => {
      this.#process.once('exit', (code, signal) => {
        clearInterval(ping);
        resolve(this.#end(signal ?? `exit code ${code}`));
      });
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** It was up. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** What it does while it starts. */
  get step(): string {
    return this.#step;
  }

  /** What it said when it could not go on, or the end of what it wrote to stderr. */
  get lastError(): string {
    return this.#lastError;
  }

  /** What it said when it could not go on. */
  get failure(): NodeFailure | undefined {
    return this.#failure;
  }

  /** Asks it to end, and kills it when it does not within `timeoutMs`. */
  async stop(timeoutMs: number): Promise<void> {
    if (this.#process.connected) this.#tell({ kind: 'stop' });
    const kill = setTimeout(() => this.#process.kill('SIGKILL'), timeoutMs);
    await this.ended;
    clearTimeout(kill);
  }

  /** A process that has just died does not get it; its end is handled where it is noticed. */
  #tell(message: ToNode): void {
    this.#process.send(message, () => {});
  }

  #ping(): void {
    const { settings, log } = this.#options;
    if (this.#silence.passed(PING_MS) > SILENCE_MS) {
      this.#silent = true;
      const running = readBlackBox(blackBoxFile(settings.stateDir, settings.id));
      log.error({ node: settings.id, running }, `node has not answered for ${SILENCE_MS / 1000} s; killing it`);
      this.#process.kill('SIGKILL');
    } else if (this.#process.connected) {
      this.#tell({ kind: 'ping' });
    }
  }

  #receive(message: FromNode): void {
    this.#silence.heard();
    switch (message.kind) {
      case 'pong':
        this.#rssBytes = message.rssBytes;
        return;
      case 'ready':
        this.#isReady = true;
        this.#options.onReady(message);
        return;
      case 'starting':
        this.#step = message.step;
        return;
      case 'trouble':
        this.#options.onTrouble?.(message.text);
        return;
      case 'error':
        this.#lastError = message.message;
        this.#failure = message;
    }
  }

  #end(exit: string): NodeEnd {
    const { stateDir, id } = this.#options.settings;
    return {
      how: this.#silent ? `it did not answer for ${SILENCE_MS / 1000} s` : exit,
      outOfMemory: /out of memory/i.test(this.#lastError),
      rssBytes: this.#rssBytes,
      last: takeBlackBox(blackBoxFile(stateDir, id)),
    };
  }
}

function startProcess({ settings, env, through }: NodeLifeOptions): ChildProcess {
  // Killed, not asked: nats-server goes at the same time, and there is nobody left to hand work back to.
  const [command, ...prefix] = [...endsWithParent('KILL'), ...through, process.execPath];
  return withPrivateFiles(() =>
    // The arguments are for people who look at the list of processes.
    fork(ENTRY.file, [settings.id, settings.stateDir], {
      execPath: command!,
      execArgv: [...prefix, ...heapFlags(roleNames(settings)), ...ENTRY.nodeArguments],
      env: { ...withoutClusterSettings(process.env), ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    }),
  );
}

/**
 * What a group's flows make lives for as long as the group, and what a round's gradients and weights are copied through for as long as
 * the round: some hundred milliseconds. With the usual young generation of 16 MB it is copied twice and kept, and a sixth of the
 * process's time goes into that.
 */
function heapFlags(roles: readonly RoleName[]): string[] {
  return roles.some((role) => role === 'rollout' || role === 'parameter-server') ? ['--max-semi-space-size=64'] : [];
}
