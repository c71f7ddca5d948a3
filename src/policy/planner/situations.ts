import { toBinary } from '@bufbuild/protobuf';
import { ExperienceSchema } from '../../gen/millrace/v1/experience_pb.ts';
import type { RecordedChoice, SituationTable } from '../kind.ts';
import type { Plan } from '../plan.ts';
import { encodeObservation, observationKey } from './codec.ts';
import { plannerExperience } from './experience.ts';
import type { Observation } from './observation.ts';
import type { PlanEncoder } from './plan-encoder.ts';
import type { PlannerSpec } from './spec.ts';

/**
 * The distinct texts and observations of one group. Siblings meet the same situations again and again; equal ones get the
 * same index, so they are computed and sent once.
 */
export class PlannerSituations implements SituationTable {
  readonly spec: PlannerSpec;
  readonly #encoder: PlanEncoder;
  readonly texts: Int32Array[] = [];
  readonly observations: Observation[] = [];
  readonly #textIndex = new Map<Int32Array, number>();
  readonly #observationIndex = new Map<string, number>();
  readonly #bytes: Uint8Array[] = [];

  constructor(encoder: PlanEncoder) {
    this.#encoder = encoder;
    this.spec = encoder.spec;
  }

  add(plan: Plan): number {
    return this.observation(this.#encoder.encode(plan, this));
  }

  stateFlags(situation: number): readonly number[] {
    return this.observations[situation]!.flags;
  }

  /** Index of a text by the identity of its tokens: a PlanEncoder gives the same array for the same text. */
  text(tokens: Int32Array): number {
    const known = this.#textIndex.get(tokens);
    if (known !== undefined) return known;
    const index = this.texts.push(tokens) - 1;
    this.#textIndex.set(tokens, index);
    return index;
  }

  /** Index of an observation whose text indices point into this table. */
  observation(observation: Observation): number {
    const key = observationKey(observation, this.spec);
    const known = this.#observationIndex.get(key);
    if (known !== undefined) return known;
    const index = this.observations.push(observation) - 1;
    this.#bytes.push(Buffer.from(key, 'latin1'));
    this.#observationIndex.set(key, index);
    return index;
  }

  /**
   * The encoded Experience of these members' decisions (none for failed members). Observations and texts are numbered by
   * first use, member after member: the bytes depend on what the members did, not on how their steps interleaved.
   */
  encode(members: readonly (readonly RecordedChoice[])[], temperature: number): Uint8Array {
    const observations = new Numbering();
    const texts = new Numbering();
    const decisions = members.map((steps) => ({
      observation: steps.map((step) => observations.of(step.situation)),
      action: steps.map((step) => step.action),
      logProbability: steps.map((step) => step.logProbability),
    }));
    for (const index of observations.order) {
      const { text, items } = this.observations[index]!;
      if (text >= 0) texts.of(text);
      for (const item of items) if (item.text >= 0) texts.of(item.text);
    }
    const same = texts.order.every((text, i) => text === i);
    return toBinary(
      ExperienceSchema,
      plannerExperience({
        texts: texts.order.map((index) => littleEndian(this.texts[index]!)),
        observations: observations.order.map((index) =>
          same
            ? this.#bytes[index]!
            : encodeObservation(
                renumberTexts(this.observations[index]!, (t) => texts.of(t)),
                this.spec,
              ),
        ),
        decisions,
        temperature,
      }),
    );
  }
}

/** Numbers things by first use. */
class Numbering {
  readonly order: number[] = [];
  readonly #numbers = new Map<number, number>();

  of(thing: number): number {
    let number = this.#numbers.get(thing);
    if (number === undefined) {
      number = this.order.push(thing) - 1;
      this.#numbers.set(thing, number);
    }
    return number;
  }
}

/** The same observation with its texts found elsewhere. */
export function renumberTexts(observation: Observation, number: (text: number) => number): Observation {
  const of = (text: number): number => (text < 0 ? -1 : number(text));
  return {
    text: of(observation.text),
    flags: observation.flags,
    items: observation.items.map((item) => ({ text: of(item.text), at: item.at, flags: item.flags })),
    actions: observation.actions,
  };
}

function littleEndian(tokens: Int32Array): Uint8Array {
  return new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
}
