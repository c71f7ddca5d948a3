import { entropyAt } from '../../src/algo/optim/schedule.ts';
import { methodOf } from '../../src/algo/registry.ts';
import type { Method } from '../../src/algo/method.ts';
import { unitAdvantages } from '../../src/algo/unit/unit.ts';
import type { JobConfig } from '../../src/config/job.ts';
import { MillraceError } from '../../src/errors.ts';
import { ShardWork, type ShardResult } from '../../src/gen/millrace/v1/learner_pb.ts';
import type { ScoredGroup } from '../../src/gen/millrace/v1/training_pb.ts';
import type { RoundSum } from '../../src/jobs/reduce.ts';
import { seedFrom } from '../../src/random/seeded.ts';
import { cutShards, groupsPerShard } from '../../src/jobs/shards.ts';
import { seededRandom } from '../../src/random/seeded.ts';
import type { LearnerPool, RoundPass } from './learner-pool.ts';
import type { Master } from './master.ts';
import { GroupInTraining } from './round-group.ts';
import { reduceResults } from './scored.ts';

/** What a round is computed with. */
export interface RoundWorkOptions {
  job: string;
  config: JobConfig;
  policyJson: string;
  /** The version whose round this is. */
  version: number;
  master: Master;
  pool: LearnerPool;
  /** Weights of the reference policy; asked for only by methods that need them. */
  reference: () => Promise<{ version: number; weights: Uint8Array }>;
  /** Called after each shard. */
  onProgress: (done: number, total: number) => void;
  signal: AbortSignal;
}

/** What a round's updates did. */
export interface RoundOutcome {
  /** Sums over all updates. */
  weight: number;
  statistics: Record<string, number>;
  /** Means over the round, of what was computed before its updates. */
  means: Readonly<Record<string, number>>;
  decisions: number;
  /** Mean over the updates. */
  gradientNorm: number;
  learningRate: number;
  /** Updates that were made: those without a signal change nothing. */
  updates: number;
  shards: number;
}

/**
 * Computes one round with the learners: what the method needs of the weights at its start, the advantages of all decisions,
 * then every update of every epoch. Nothing here is kept: after a crash the round is computed anew from the same groups.
 */
export async function workRound(scored: readonly ScoredGroup[], options: RoundWorkOptions): Promise<RoundOutcome> {
  return new RoundWork(scored, options).run();
}

class RoundWork {
  readonly #options: RoundWorkOptions;
  readonly #method: Method;
  readonly #groups: GroupInTraining[];
  /** Means over the round. */
  #statistics: Readonly<Record<string, number>> = {};
  #pass = 0;
  #step = 0;

  constructor(scored: readonly ScoredGroup[], options: RoundWorkOptions) {
    this.#options = options;
    this.#method = methodOf(options.config.algorithm);
    this.#groups = scored.map((group) => new GroupInTraining(group, options.config.algorithm));
  }

  async run(): Promise<RoundOutcome> {
    const { config, master, version } = this.#options;
    await this.#prepare();
    const { epochs, miniBatches } = config.algorithm;
    const outcome: RoundOutcome = {
      means: this.#statistics,
      weight: 0,
      statistics: {},
      decisions: 0,
      gradientNorm: 0,
      learningRate: 0,
      updates: 0,
      shards: 0,
    };
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const batch of this.#miniBatches(epoch, miniBatches)) {
        const { results, shards } = await this.#computed(batch, ShardWork.GRADIENT);
        const { sum, decisions } = reduceResults(results, shards);
        const report = master.update(sum, version);
        this.#step += 1;
        add(outcome, sum, { decisions, shards, ...report });
      }
    }
    if (outcome.updates > 0) outcome.gradientNorm /= outcome.updates;
    return outcome;
  }

  /** Everything that is taken at the weights of the start of the round. */
  async #prepare(): Promise<void> {
    const { config, version } = this.#options;
    const { algorithm } = config;
    const needs = this.#method.needs(algorithm);
    if (this.#groups.length === 0) return;
    if (needs.values || needs.proximal) {
      const { logProbabilities, values } = await this.#evaluated(version);
      if (needs.proximal) this.#fill('proximal', logProbabilities);
      if (needs.values) this.#fill('values', values);
    }
    if (needs.reference) {
      const { version: at, weights } = await this.#options.reference();
      this.#fill('reference', (await this.#evaluated(at, weights)).logProbabilities);
    }
    const views = this.#groups.map((group) => group.view());
    const round = unitAdvantages(this.#method, views, algorithm);
    this.#statistics = round?.statistics ?? {};
    this.#groups.forEach((group, g) => {
      group.decisionAdvantages = round?.advantages[g] ?? [];
      group.valueTargets = round?.targets?.[g] ?? [];
    });
  }

  /** In order, or shuffled the same way by whoever computes the round: all groups once, in `count` parts as even as can be. */
  #miniBatches(epoch: number, count: number): GroupInTraining[][] {
    if (count === 1) return [this.#groups];
    const { config, version } = this.#options;
    const order = [...this.#groups];
    const random = seededRandom(seedFrom(config.seed, 'mini-batches', version, epoch));
    for (let i = order.length - 1; i > 0; i--) {
      const j = random.integer(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    return Array.from({ length: count }, (_, part) =>
      order.slice(Math.floor((part * order.length) / count), Math.floor(((part + 1) * order.length) / count)),
    ).filter((batch) => batch.length > 0);
  }

  async #evaluated(
    version: number,
    weights: Uint8Array = this.#options.master.weightBytes.slice(),
  ): Promise<{ logProbabilities: number[]; values: number[] }> {
    const { results } = await this.#computed(this.#groups, ShardWork.EVALUATE, { version, step: 0, weights });
    const inOrder = [...results].sort((a, b) => a.shard - b.shard);
    return {
      logProbabilities: inOrder.flatMap(({ logProbabilities }) => logProbabilities),
      values: inOrder.flatMap(({ values }) => values),
    };
  }

  async #computed(
    groups: readonly GroupInTraining[],
    work: ShardWork,
    at: Pick<RoundPass, 'version' | 'step' | 'weights'> = {
      version: this.#options.version,
      step: this.#step,
      weights: this.#options.master.weightBytes.slice(),
    },
  ): Promise<{ results: ShardResult[]; shards: number }> {
    const { job, config, policyJson, version, pool, onProgress, signal } = this.#options;
    const withRewards = this.#method.scope === 'group';
    const size = groupsPerShard(config.rollout.groupsPerRound);
    const shards = cutShards(groups, size, ({ bytes }) => bytes).map((shard) =>
      shard.map((group) => group.shardGroup(withRewards)),
    );
    this.#pass += 1;
    const pass: RoundPass = {
      job,
      policyJson,
      algorithmJson: JSON.stringify(config.algorithm),
      round: version + 1,
      work,
      entropy: entropyAt(version, config.rounds, config.algorithm),
      pass: this.#pass,
      ...at,
      shards,
      onProgress,
    };
    return { results: await pool.compute(pass, signal), shards: shards.length };
  }

  #fill(name: 'values' | 'proximal' | 'reference', flat: readonly number[]): void {
    let rest = flat;
    for (const group of this.#groups) rest = group.fill(name, rest);
    if (rest.length > 0 || flat.length === 0) {
      throw new MillraceError('internal', `learners answered ${flat.length} ${name}, ${rest.length} too many`);
    }
  }
}

function add(
  outcome: RoundOutcome,
  sum: RoundSum,
  update: { decisions: number; shards: number; gradientNorm: number; learningRate: number },
): void {
  outcome.weight += sum.weight;
  outcome.decisions += update.decisions;
  outcome.shards += update.shards;
  outcome.learningRate = update.learningRate;
  for (const [name, value] of Object.entries(sum.statistics)) outcome.statistics[name] = (outcome.statistics[name] ?? 0) + value;
  if (sum.weight === 0) return;
  outcome.gradientNorm += update.gradientNorm;
  outcome.updates += 1;
}
