import { MillraceError } from '../errors.ts';

/** Groups a shard when nothing else is said. */
const GROUPS_PER_SHARD = 1;

/** Shards a full round is cut into: enough for as many learners to share it evenly, few enough gradients to send and add. */
export const SHARDS_PER_ROUND = 8;

/** Groups a shard for rounds of `groupsPerRound`: depends on the job alone, so that any number of learners cuts alike. */
export function groupsPerShard(groupsPerRound: number): number {
  return Math.max(GROUPS_PER_SHARD, Math.ceil(groupsPerRound / SHARDS_PER_ROUND));
}

/** Bytes of experience in a shard of more than one group: what is added to it for a learner is at most a few times as much. */
const SHARD_BYTES = 32 * 1024 * 1024;

/**
 * Cuts the groups of a round (sorted by sequence) into shards of a fixed size, or of fewer groups where those are large. The cut must
 * not depend on how many learners there are: float32 sums inside a shard depend on what is in it, so only then do 1, 2 or 4 learners
 * give the same bits.
 *
 * @param bytesOf - size of a group; a shard of several has at most {@link SHARD_BYTES}. Default: groups are small.
 */
export function cutShards<G>(
  groups: readonly G[],
  groupsPerShard = GROUPS_PER_SHARD,
  bytesOf: (group: G) => number = () => 0,
): G[][] {
  if (!Number.isInteger(groupsPerShard) || groupsPerShard < 1) {
    throw new MillraceError('invalid_argument', `groupsPerShard must be a whole number of at least 1, not ${groupsPerShard}`, {
      field: 'groupsPerShard',
    });
  }
  const shards: G[][] = [];
  let bytes = 0;
  groups.forEach((group, at) => {
    bytes += bytesOf(group);
    if (at % groupsPerShard !== 0 && bytes <= SHARD_BYTES) return void shards.at(-1)!.push(group);
    shards.push([group]);
    bytes = bytesOf(group);
  });
  return shards;
}

/**
 * Where the shards of one round are: waiting, with a learner, or done. A lost learner's shards wait again and go to others;
 * the first result of a shard counts, later ones are ignored.
 */
export class ShardBoard {
  readonly #owner: (string | undefined)[];
  readonly #done: boolean[];
  readonly #failures: number[];
  readonly #maxFailures: number;

  /** `maxFailures`: failures of one shard that its learners reported themselves, after which the round fails. Default 5. */
  constructor(shards: number, options: { maxFailures?: number } = {}) {
    this.#owner = Array.from({ length: shards });
    this.#done = Array.from({ length: shards }, () => false);
    this.#failures = Array.from({ length: shards }, () => 0);
    this.#maxFailures = options.maxFailures ?? 5;
  }

  get shards(): number {
    return this.#done.length;
  }

  get done(): number {
    return this.#done.filter(Boolean).length;
  }

  get complete(): boolean {
    return this.#done.every(Boolean);
  }

  /** Shards nobody works on, ascending. */
  waiting(): number[] {
    return [...this.#done.keys()].filter((shard) => !this.#done[shard] && this.#owner[shard] === undefined);
  }

  /** Shards the learner works on, ascending. */
  heldBy(learner: string): number[] {
    return [...this.#done.keys()].filter((shard) => !this.#done[shard] && this.#owner[shard] === learner);
  }

  /** A learner gets the first shard that waits. Returns it; undefined when none waits. */
  give(learner: string): number | undefined {
    const [shard] = this.waiting();
    if (shard !== undefined) this.#owner[shard] = learner;
    return shard;
  }

  /** Notes a result. False when the shard was done already or is not of this round: ignore the result. */
  finish(shard: number): boolean {
    if (this.#done[shard] !== false) return false;
    this.#done[shard] = true;
    this.#owner[shard] = undefined;
    return true;
  }

  /** The learner is gone, or too late: its shards wait again. Returns them. */
  lost(learner: string): number[] {
    const shards = this.heldBy(learner);
    for (const shard of shards) this.#owner[shard] = undefined;
    return shards;
  }

  /** The learner says that it cannot compute the shard. Throws `aborted` when that happened too often. */
  fail(shard: number, learner: string, message: string): void {
    if (this.#done[shard] !== false || this.#owner[shard] !== learner) return;
    this.#owner[shard] = undefined;
    const failures = (this.#failures[shard] ?? 0) + 1;
    this.#failures[shard] = failures;
    if (failures >= this.#maxFailures) {
      throw new MillraceError('aborted', `shard ${shard} failed ${failures} times, last on ${learner}: ${message}`, {
        retryable: false,
      });
    }
  }
}
