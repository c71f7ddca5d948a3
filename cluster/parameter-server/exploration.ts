import { keepsState, type ExplorationJob } from '../../src/config/job/exploration.ts';
import { observeRound, type ObservedGroup, type ObservedRound } from '../../src/explore/observe.ts';
import { explorationRows } from '../../src/explore/rows.ts';
import { decodeState, emptyState, encodeState, type ExplorationState } from '../../src/explore/state.ts';
import { encodeRows } from '../../src/records/encode.ts';

/** Rows of one message: far below what a message may hold, whatever the tasks are called. */
const ROWS_A_MESSAGE = 1000;

/** What a trainer keeps for exploration: the state of the version that is committed next. It holds nothing else. */
export class ExplorationTracker {
  readonly #job: string;
  readonly #config: ExplorationJob;
  readonly #tools: readonly string[];
  readonly #kept: boolean;
  #state: ExplorationState = emptyState();

  /** @param tools names in the order of the policy's tools. */
  constructor(job: string, config: ExplorationJob, tools: readonly string[]) {
    this.#job = job;
    this.#config = config;
    this.#tools = tools;
    this.#kept = keepsState(config);
  }

  /** The job needs no exploration state: nothing here does anything. */
  get off(): boolean {
    return !this.#kept;
  }

  /** Goes on from the blob of a committed version; from nothing at the start of a job. */
  restore(blob: Uint8Array | undefined): void {
    this.#state = this.#kept ? decodeState(blob) : emptyState();
  }

  /** Takes the groups of a round, with and without signal, before version `round.version` is committed. */
  observe(groups: readonly ObservedGroup[], round: ObservedRound): void {
    if (this.#kept) this.#state = observeRound(this.#state, groups, this.#config, round);
  }

  /** The blob to commit; undefined when the job needs none. */
  bytes(): Uint8Array | undefined {
    return this.#kept ? encodeState(this.#state) : undefined;
  }

  /**
   * Rows of table `exploration` that say what is known, as messages for `event.<job>.exploration`; the same for the same state
   * and time, so that they may be published again.
   *
   * @param at when the version was committed, in Unix microseconds
   */
  rows(at: number): Uint8Array[] {
    if (!this.#kept) return [];
    const rows = explorationRows(this.#state, { job: this.#job, tools: this.#tools, z: this.#config.exploration.pruning.z, at });
    const messages: Uint8Array[] = [];
    for (let from = 0; from < rows.length; from += ROWS_A_MESSAGE)
      messages.push(encodeRows('exploration', rows.slice(from, from + ROWS_A_MESSAGE)));
    return messages;
  }
}
