import { adamW } from '../../../src/algo/optim/adamw.ts';
import { clipByGlobalNorm } from '../../../src/algo/optim/clip.ts';
import { addToAverage } from '../../../src/algo/optim/average.ts';
import { entropyAt, learningRateAt } from '../../../src/algo/optim/schedule.ts';
import { methodOf } from '../../../src/algo/registry.ts';
import { unitAdvantages } from '../../../src/algo/unit/unit.ts';
import type { JobConfig } from '../../../src/config/job.ts';
import { Verdict, type ScoredGroup } from '../../../src/gen/millrace/v1/training_pb.ts';
import type { WeightManifest } from '../../../src/gen/millrace/v1/weights_pb.ts';
import { decodeExperience } from '../../../src/policy/experience.ts';
import type { PolicyLearner } from '../../../src/policy/kind.ts';
import { computeGradients } from '../../../src/policy/learner/gradient.ts';
import { POLICIES } from '../../../src/protocol/names.ts';
import { decodeManifest } from '../../../src/weights/manifest.ts';
import type { Check, Fail } from './check.ts';
import { newlyEnded } from './commits.ts';
import type { Facts } from './facts.ts';
import type { PublishedWeights } from './published-weights.ts';

/** Promise 4. */
const TOLERANCE = 1e-6;

/** What {@link updateCheck} compares with. */
export interface UpdateSources {
  facts: Facts;
  weights: PublishedWeights;
  config: JobConfig;
  learner: PolicyLearner;
}

/**
 * A committed version is the one before it after one update by the groups that were trained on, however the work was split into parts
 * and attempts (promises 4 and 6). Computed anew from the messages, where they say which groups those are.
 */
export function updateCheck({ facts, weights, config, learner }: UpdateSources, fail: Fail): Check {
  const isSimple = isOneUpdate(config.algorithm);
  let last: WeightManifest | undefined;
  return {
    written({ bucket, key, value }) {
      if (bucket !== POLICIES || value === undefined) return;
      const before = last;
      const after = decodeManifest(value, key);
      last = after;
      if (before?.version !== after.version - 1) return;
      checkAverage(before, after, { weights, config }, fail);
      if (!isSimple) return;
      const groups = trainedGroups(before, after, { facts, maxStaleness: config.rollout.maxStaleness });
      const [values, moments, committed] = [
        weights.floats(before, 'weights'),
        weights.floats(before, 'optimizer'),
        weights.floats(after, 'weights'),
      ];
      if (!groups || !values || !moments || !committed) return;
      const expected = updated({ values, moments, before }, groups, { config, learner });
      const furthest = Math.max(...expected.map((one, i) => Math.abs(one - committed[i]!)));
      if (!(furthest <= TOLERANCE))
        fail(
          'update-is-of-its-groups',
          `version ${after.version} has weights ${[...committed].join(', ')}; its ${groups.length} groups make ${[...expected].join(', ')}`,
        );
    },
  };
}

/** The average of a version is that of the version before it and its weights, whoever committed them (promise 6). */
function checkAverage(
  before: WeightManifest,
  after: WeightManifest,
  { weights, config }: Pick<UpdateSources, 'weights' | 'config'>,
  fail: Fail,
): void {
  const { averaging: decay } = config.optimizer;
  const [values, average] = [weights.floats(after, 'weights'), weights.floats(after, 'average')];
  if (decay === 0 || values === undefined) return;
  const expected = weights.floats(before, 'average') ?? values.slice();
  if (before.average !== undefined) addToAverage(expected, values, { decay, version: after.version });
  if (average === undefined || expected.some((one, i) => one !== average[i]))
    fail(
      'average-is-of-its-versions',
      `version ${after.version} has the average ${average?.join(', ')}, not ${expected.join(', ')}`,
    );
}

/** Whether a round is one update that needs nothing but its groups. */
function isOneUpdate(algorithm: JobConfig['algorithm']): boolean {
  const method = methodOf(algorithm);
  const { values, proximal, reference } = method.needs(algorithm);
  const ofRound = unitAdvantages(method, [], algorithm) !== undefined;
  return !values && !proximal && !reference && !ofRound && algorithm.epochs === 1 && algorithm.miniBatches === 1;
}

/** The groups that a commit counts as trained, by sequence; undefined when the messages do not tell. */
function trainedGroups(
  before: WeightManifest,
  after: WeightManifest,
  { facts, maxStaleness }: { facts: Facts; maxStaleness: number },
): ScoredGroup[] | undefined {
  const candidates: ScoredGroup[] = [];
  for (const sequence of newlyEnded(before.ledger!, after.ledger!)) {
    const [group, ...others] = facts.scored.get(sequence) ?? [];
    // Two answers to one request may differ.
    if (!group || others.length > 0) return undefined;
    if (group.verdict === Verdict.SIGNAL && before.version - group.policyVersion <= maxStaleness) candidates.push(group);
  }
  return candidates.length === Number(after.ledger!.trained - before.ledger!.trained) ? candidates : undefined;
}

function updated(
  { values, moments, before }: { values: Float32Array; moments: Float32Array; before: WeightManifest },
  groups: readonly ScoredGroup[],
  { config, learner }: Pick<UpdateSources, 'config' | 'learner'>,
): Float32Array {
  const { optimizer, rounds } = config;
  const algorithm = { ...config.algorithm, entropy: entropyAt(before.version, rounds, config.algorithm) };
  learner.load(values);
  const sum = new Float64Array(values.length);
  let total = 0;
  for (const { experience, scores } of groups) {
    const [advantages, valid] = [scores.map(({ advantage }) => advantage), scores.map((score) => score.valid)];
    const one = computeGradients(learner, [{ experience: decodeExperience(experience), advantages, valid }], algorithm);
    one.gradient.forEach((value, i) => (sum[i]! += value));
    total += one.weight;
  }
  const next = values.slice();
  if (total === 0) return next;
  const gradient = Float32Array.from(sum, (value) => value / total);
  clipByGlobalNorm(gradient, optimizer.maxGradientNorm);
  const size = values.length;
  const state = { m: moments.slice(0, size), v: moments.slice(size), step: before.optimizerSteps };
  adamW(next, gradient, state, { ...optimizer, learningRate: learningRateAt(before.version, rounds, optimizer) });
  return next;
}
