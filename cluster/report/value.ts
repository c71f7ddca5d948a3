import type { Evaluation } from '../../src/gen/millrace/v1/admin_pb.ts';

/** What the use of a policy is worth to its owner. */
export interface Assumptions {
  queriesPerMonth: number;
  /** US dollars that a solved query is worth. */
  pricePerSolved: number;
  /** US dollars that the training cost beside what its calls were charged, e.g. for machines. Default 0. */
  trainingCost?: number;
}

/** What the training is worth under those assumptions; US dollars. */
export interface BusinessValue extends Assumptions {
  /** Queries that are solved in a month and were not before. */
  moreSolvedPerMonth: number;
  /** Their price, less what the queries cost more than before. */
  gainPerMonth: number;
  /** Calls of the training, and `trainingCost`. */
  cost: number;
  /** (Gain of the first year - cost) / cost; null when the training cost nothing. */
  roi: number | null;
  /** Months until the gain has paid the cost; null when it never does. */
  payBackMonths: number | null;
}

/** What is gained in a month and in a year, against what the training cost. */
export function valueOf(
  { before, after, trainingMicroDollars }: { before: Evaluation; after: Evaluation; trainingMicroDollars: number },
  assumptions: Assumptions,
): BusinessValue {
  const { queriesPerMonth, pricePerSolved, trainingCost = 0 } = assumptions;
  const change = (metric: string): number => (after.metrics[metric]?.value ?? 0) - (before.metrics[metric]?.value ?? 0);
  const moreSolvedPerMonth = queriesPerMonth * change('success');
  const gainPerMonth = moreSolvedPerMonth * pricePerSolved - queriesPerMonth * change('cost');
  const cost = trainingMicroDollars / 1e6 + trainingCost;
  return {
    ...{ queriesPerMonth, pricePerSolved, trainingCost, moreSolvedPerMonth, gainPerMonth, cost },
    roi: cost > 0 ? (12 * gainPerMonth - cost) / cost : null,
    payBackMonths: gainPerMonth > 0 ? cost / gainPerMonth : null,
  };
}
