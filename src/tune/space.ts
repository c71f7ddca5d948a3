import type { Random } from '../random/random.ts';

/** What a parameter may be set to: what JSON and YAML call a scalar. */
export type Value = number | string | boolean;

/**
 * One parameter of the search. A range is searched evenly in the value (`linear`) or in its logarithm (`log`, low > 0); with
 * `integer` its values are whole. Choices that are all numbers are taken to lie in order, others to be equally unlike.
 */
export type Parameter =
  { kind: 'linear' | 'log'; low: number; high: number; integer: boolean } | { kind: 'choices'; choices: readonly Value[] };

/** Parameters by dotted path of the job, in the order they were written. */
export type Space = Readonly<Record<string, Parameter>>;

/** One value for each parameter. */
export type Values = Readonly<Record<string, Value>>;

/** Digits that a value keeps, so that what is pasted from the report is what was tried. */
const DIGITS = 4;

/** Whether choices have an order that the model may use. */
function ordered(choices: readonly Value[]): choices is readonly number[] {
  return choices.every((choice) => typeof choice === 'number');
}

/** The value at a share of the way from low to high; `share` in [0, 1], both ends included. */
export function valueAt(parameter: Parameter, share: number): Value {
  const at = Math.min(1, Math.max(0, share));
  if (parameter.kind === 'choices') {
    const { choices } = parameter;
    const sorted = ordered(choices) ? [...choices].sort((a, b) => a - b) : choices;
    return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))]!;
  }
  const { kind, low, high, integer } = parameter;
  if (at === 0 || at === 1) return at === 0 ? low : high;
  const raw = kind === 'log' ? low * (high / low) ** at : low + (high - low) * at;
  const rounded = integer ? Math.round(raw) : Number(raw.toPrecision(DIGITS));
  return Math.min(high, Math.max(low, rounded));
}

/** Where a value of a range or of ordered choices lies between low (0) and high (1); {@link valueAt} takes it back. */
export function shareOf(parameter: Parameter, value: Value): number {
  if (parameter.kind === 'choices') {
    const { choices } = parameter;
    const sorted: readonly Value[] = ordered(choices) ? [...choices].sort((a, b) => a - b) : choices;
    return choices.length === 1 ? 0.5 : Math.max(0, sorted.indexOf(value)) / (choices.length - 1);
  }
  const { kind, low, high } = parameter;
  const share = kind === 'log' ? Math.log(Number(value) / low) / Math.log(high / low) : (Number(value) - low) / (high - low);
  return Math.min(1, Math.max(0, share));
}

/**
 * Coordinates for the model: one in [0, 1] for a range or ordered choices; for other choices one for each, so that any two
 * are at distance 1. `groups[i]` is the parameter that coordinate i belongs to: its coordinates share a length scale.
 */
export function encode(space: Space, values: Values): { point: number[]; groups: number[] } {
  const point: number[] = [];
  const groups: number[] = [];
  for (const [index, [path, parameter]] of Object.entries(space).entries()) {
    const value = values[path]!;
    const own =
      parameter.kind === 'choices' && !ordered(parameter.choices)
        ? parameter.choices.map((choice) => (choice === value ? Math.SQRT1_2 : 0))
        : [shareOf(parameter, value)];
    point.push(...own);
    groups.push(...own.map(() => index));
  }
  return { point, groups };
}

/** Values drawn evenly from the space. */
export function drawValues(space: Space, random: Random): Values {
  return mapSpace(space, (parameter) => valueAt(parameter, random.uniform()));
}

/** Whether the space has this value, e.g. the job's own. */
export function contains(parameter: Parameter, value: unknown): value is Value {
  if (parameter.kind === 'choices') return parameter.choices.some((choice) => choice === value);
  if (typeof value !== 'number' || (parameter.integer && !Number.isInteger(value))) return false;
  return value >= parameter.low && value <= parameter.high;
}

/** How many combinations there are; Infinity when a parameter is not counted in whole numbers. */
export function combinations(space: Space): number {
  return Object.values(space).reduce((product, parameter) => {
    if (parameter.kind === 'choices') return product * parameter.choices.length;
    return product * (parameter.integer ? parameter.high - parameter.low + 1 : Infinity);
  }, 1);
}

/** A text that is the same for the same values and no others. */
export function keyOf(space: Space, values: Values): string {
  return JSON.stringify(Object.keys(space).map((path) => values[path]));
}

/** A value for each parameter. */
export function mapSpace(space: Space, value: (parameter: Parameter, path: string, index: number) => Value): Values {
  return Object.fromEntries(
    Object.entries(space).map(([path, parameter], index) => [path, value(parameter, path, index)] as const),
  );
}

/**
 * A Latin hypercube of `count` points (McKay, Beckman and Conover, 1979): every parameter has one point in each of `count`
 * equal parts of its range.
 */
export function latinHypercube(space: Space, count: number, random: Random): Values[] {
  const strata = Object.keys(space).map(() => shuffled(count, random));
  return Array.from({ length: count }, (_, point) =>
    mapSpace(space, (parameter, _path, index) => valueAt(parameter, (strata[index]![point]! + random.uniform()) / count)),
  );
}

/** 0 to count - 1 in an even random order (Fisher and Yates). */
function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
