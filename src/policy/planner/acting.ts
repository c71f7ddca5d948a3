import type { ActingPolicy, SituationOf } from '../kind.ts';
import { encodeObservation } from './codec.ts';
import type { ObservationBatch, ObservationPolicy } from './observation-policy.ts';
import { renumberTexts, type PlannerSituations } from './situations.ts';

/** Gives a policy the situations of several groups as one batch of observations. */
export function actingPolicy(
  policy: Pick<ObservationPolicy, 'load' | 'logProbabilities' | 'dispose'>,
): ActingPolicy<PlannerSituations> {
  return {
    load: (values) => policy.load(values),
    logProbabilities: (situations, temperature) => policy.logProbabilities(batchOf(situations), temperature),
    dispose: () => policy.dispose(),
  };
}

/** Only the texts that the observations refer to, each once. */
function batchOf(situations: readonly SituationOf<PlannerSituations>[]): ObservationBatch {
  const texts: Int32Array[] = [];
  const index = new Map<Int32Array, number>();
  const observations = situations.map(({ table, situation }) =>
    encodeObservation(
      renumberTexts(table.observations[situation]!, (text) => {
        const tokens = table.texts[text]!;
        let known = index.get(tokens);
        if (known === undefined) {
          known = texts.push(tokens) - 1;
          index.set(tokens, known);
        }
        return known;
      }),
      table.spec,
    ),
  );
  return { texts, observations };
}
