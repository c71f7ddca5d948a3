import { MillraceError } from '../../src/errors.ts';
import { startNode, type RunningNode, type StartOptions } from './node.ts';

/** Options of {@link NodeHost}. */
export interface HostOptions extends StartOptions {
  /** Ends the process. A flow's code gets another `process.exit`: take the real one before the node starts. */
  exit: (code: number) => void;
  /** Told why the node cannot go on, before it ends. */
  onError: (error: MillraceError) => Promise<void> | void;
}

/** What a node gets to end in that cannot go on, in ms. */
const FAILED_MS = 1_000;
/** What the roles may take longer than they were given, in ms. */
const SLACK_MS = 1_000;
/** What saying whose error it was may take, in ms. */
const BLAME_MS = 2_000;

/** A node and the process that hosts it: both end together, whatever ends them. */
export class NodeHost {
  readonly #options: HostOptions;
  #node: RunningNode | undefined;
  #ending = false;

  constructor(options: HostOptions) {
    this.#options = options;
    process.on('unhandledRejection', (reason) => void this.#endUncaught(reason));
    process.on('uncaughtException', (error) => void this.#endUncaught(error));
  }

  /** Starts the node; undefined when it could not, or was to end meanwhile. */
  async start(): Promise<RunningNode | undefined> {
    try {
      const node = await startNode(this.#options);
      this.#node = node;
      void node.failed.then((error) => this.#endOnError(error));
      return this.#ending ? undefined : node;
    } catch (error) {
      await this.#endOnError(error);
      return undefined;
    }
  }

  /**
   * Stops the roles, then the process.
   *
   * @param timeoutMs - for the roles; default 5000
   * @param forcedCode - exit code when they take a second longer than that; default `code`
   */
  async end(code: number, timeoutMs = 5_000, forcedCode = code): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const { log, exit } = this.#options;
    const force = (): void => {
      log.warn('the roles have not stopped in time: what they had in hand is delivered to others');
      log.flush();
      exit(forcedCode);
    };
    setTimeout(force, timeoutMs + SLACK_MS).unref();
    await this.#node?.stop(timeoutMs).catch((error: unknown) => log.error({ err: error }, 'stopping failed'));
    log.flush();
    exit(code);
  }

  async #endOnError(thrown: unknown): Promise<void> {
    if (this.#ending) return;
    const { log, onError } = this.#options;
    const error = MillraceError.from(thrown);
    log.fatal({ err: error }, 'the node cannot continue');
    await onError(error);
    await this.end(1, FAILED_MS);
  }

  /** Says whose error it was, if a flow's, before the process ends. */
  async #endUncaught(thrown: unknown): Promise<void> {
    if (this.#ending) return;
    const said = this.#node
      ?.uncaught(thrown)
      .catch((error: unknown) => this.#options.log.error({ err: error }, 'nobody could be told whose error it was'));
    await Promise.race([said, new Promise((resolve) => setTimeout(resolve, BLAME_MS))]);
    await this.#endOnError(thrown);
  }
}
