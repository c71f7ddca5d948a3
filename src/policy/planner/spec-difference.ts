import type { SpecDifference } from '../kind.ts';
import type { PlannerSpec } from './spec.ts';

/** Seeds draw first weights only: all else must be the same for one's weights to mean anything in the other. */
const FIELDS: readonly [string, (spec: PlannerSpec) => unknown][] = [
  ['tools', ({ tools }) => tools.map(({ name, arity }) => `${name}/${arity}`).join(', ')],
  ['features.state', ({ features }) => features.state],
  ['features.item', ({ features }) => features.item],
  ['features.action', ({ features }) => features.action],
  ['text.encoder', ({ text }) => text.encoder],
  ['text.buckets', ({ text }) => text.buckets],
  ['text.embed', ({ text }) => text.embed],
  ['text.width', ({ text }) => text.width],
  ['text.layers', ({ text }) => text.layers],
  ['text.maxLength', ({ text }) => text.maxLength],
  ['hidden', ({ hidden }) => hidden],
  ['value', ({ value }) => value ?? false],
];

/** The first field in which the specifications differ; undefined when weights of one can be used in the other. */
export function specDifference(first: PlannerSpec, second: PlannerSpec): SpecDifference | undefined {
  for (const [field, of] of FIELDS) {
    const [a, b] = [of(first), of(second)].map(String) as [string, string];
    if (a !== b) return { field, first: a, second: b };
  }
  return undefined;
}
