import type { Estimate, Evaluation, Job, PairedComparison } from '../../src/gen/millrace/v1/admin_pb.ts';
import { convergence, type Convergence } from './convergence.ts';
import { monotonicity, type Monotonicity } from './monotonicity.ts';
import { metricVerdicts, typeVerdicts, type MetricVerdict, type TypeVerdict } from './verdicts.ts';
import { valueOf, type Assumptions, type BusinessValue } from './value.ts';

/** A figure with its 95 % interval, where that is known. */
export interface Figure {
  value: number;
  ci95: [number, number] | null;
}

/** What the training came to: the version that was best on the validation tasks, against the untrained policy on the same tasks. */
export interface Outcome {
  /** Which tasks the figures are of; validation where there is no test set, or it was not measured. */
  taskSet: 'test' | 'validation';
  tasks: number;
  /** Tasks that chose the version. */
  validationTasks: number;
  /** The version that is reported; null when none was measured. */
  version: number | null;
  /** Success rates of the reported version and of the untrained policy, 0 to 1. */
  success_rate: { before: Figure | null; after: Figure | null };
  /** The difference in percentage points with its interval, and what the paired test says of it. */
  difference: {
    points: number;
    ci95: [number, number];
    wins: number;
    losses: number;
    evidence: number;
    threshold: number;
    p_value: number;
    decision: string;
  } | null;
  avg_reward: { before: Figure | null; after: Figure | null };
  avg_steps: { before: Figure | null; after: Figure | null };
  tool_accuracy: { before: Figure | null; after: Figure | null };
  tokens_per_query: { before: Figure | null; after: Figure | null };
  /** US dollars. */
  cost_per_1000_queries: { before: Figure | null; after: Figure | null };
  /** pass@k of the sampled policy, by `pass@k`. */
  pass_at_k: Record<string, Figure>;
  convergence: Convergence;
  trajectories_to_convergence: number | null;
  monotonicity: Monotonicity;
  metrics: MetricVerdict[];
  types: TypeVerdict[];
  value: BusinessValue | null;
}

/**
 * The outcome of a job, by the words of the field.
 *
 * @param assumptions - what its use is worth; without them nothing is said of that
 */
export function outcomeOf({ evaluations, bestCheckpoint, progress }: Job, assumptions?: Assumptions): Outcome {
  const named = (name: string): Evaluation | undefined => evaluations.find((evaluation) => evaluation.name === name);
  const trained = evaluations.filter(({ name }) => name === 'trained').sort((a, b) => a.policyVersion - b.policyVersion);
  const tested = named('test-trained');
  const best = trained.find(({ policyVersion }) => policyVersion === bestCheckpoint?.version);
  const after = tested ?? best ?? trained.at(-1);
  const before = named(tested ? 'test-untrained' : 'untrained');
  const sampled = named(tested ? 'test-sampled' : 'sampled');
  const pair = (metric: string, scale = 1): { before: Figure | null; after: Figure | null } => ({
    before: figure(before?.metrics[metric], scale),
    after: figure(after?.metrics[metric], scale),
  });
  const passes = Object.entries(sampled?.metrics ?? {}).filter(([name]) => name.startsWith('pass@'));
  const converged = convergence(trained);
  return {
    taskSet: tested ? 'test' : 'validation',
    tasks: after?.tasks ?? 0,
    validationTasks: (best ?? trained.at(-1) ?? named('untrained'))?.tasks ?? 0,
    version: after?.policyVersion ?? null,
    success_rate: pair('success'),
    difference: after?.comparison ? differenceOf(after.comparison) : null,
    avg_reward: pair('reward'),
    avg_steps: pair('steps'),
    tool_accuracy: pair('tool_accuracy'),
    tokens_per_query: pair('tokens'),
    cost_per_1000_queries: pair('cost', 1000),
    pass_at_k: Object.fromEntries(passes.map(([name, estimate]) => [name, figure(estimate)!])),
    convergence: converged,
    trajectories_to_convergence: converged.trajectories,
    monotonicity: monotonicity(trained),
    metrics: before && after ? metricVerdicts(before, after) : [],
    types: after ? typeVerdicts(before, after) : [],
    value:
      assumptions && before && after
        ? valueOf({ before, after, trainingMicroDollars: Number(progress?.ledger?.spentMicroDollars ?? 0n) }, assumptions)
        : null,
  };
}

function figure(estimate: Estimate | undefined, scale = 1): Figure | null {
  if (estimate === undefined) return null;
  const { value, low, high } = estimate;
  return { value: value * scale, ci95: low === undefined || high === undefined ? null : [low * scale, high * scale] };
}

function differenceOf(comparison: PairedComparison): Outcome['difference'] {
  const { difference, low, high, wins, losses, evidence, threshold, pValue, decision } = comparison;
  return {
    points: 100 * difference,
    ci95: [100 * low, 100 * high],
    ...{ wins, losses, evidence, threshold, p_value: pValue, decision },
  };
}
