import { MillraceError } from '../../src/errors.ts';
import type { Assumptions } from './value.ts';

/** Options of commands that report what a training is worth. */
export interface AssumptionFlags {
  queriesPerMonth?: string;
  pricePerSolved?: string;
  trainingCost?: string;
}

/** The same for the help of commands: flag and description. */
export const ASSUMPTION_OPTIONS: readonly (readonly [flag: string, description: string])[] = [
  ['--queries-per-month <count>', 'report ROI and pay-back time for so many queries a month; needs --price-per-solved'],
  ['--price-per-solved <dollars>', 'what a solved query is worth'],
  ['--training-cost <dollars>', 'what the training cost beside its calls, e.g. for machines (default: 0)'],
];

/** What the flags say; undefined when they say nothing. `invalid_argument` where a number is missing or wrong. */
export function assumptionsOf(flags: AssumptionFlags): Assumptions | undefined {
  const { queriesPerMonth, pricePerSolved, trainingCost } = flags;
  if (queriesPerMonth === undefined && pricePerSolved === undefined && trainingCost === undefined) return undefined;
  return {
    queriesPerMonth: amount(queriesPerMonth, '--queries-per-month'),
    pricePerSolved: amount(pricePerSolved, '--price-per-solved'),
    trainingCost: amount(trainingCost ?? '0', '--training-cost'),
  };
}

function amount(text: string | undefined, flag: string): number {
  const value = Number(text);
  if (text !== undefined && /^\d+(\.\d+)?$/.test(text) && value <= 1e12) return value;
  const got = text === undefined ? 'it is missing' : `got "${text}"`;
  throw new MillraceError('invalid_argument', `${flag}: ${got}, expected a number from 0, e.g. 50000 or 0.25.`, { field: flag });
}
