import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parcelFlow } from '../../flow/fixtures/parcels.ts';
import { flowOutline } from '../../flow/plan.ts';
import { decodeExperience } from '../experience.ts';
import type { RecordedChoice } from '../kind.ts';
import { decodeObservation } from './codec.ts';
import { plannerKind } from './kind.ts';
import { PlanEncoder } from './plan-encoder.ts';
import { PlannerSituations } from './situations.ts';
import { plannerParts } from './testing.ts';
import { tokenize } from './tokenizer.ts';

const flow = parcelFlow();
const outline = flowOutline(flow);
const settings = plannerKind.settings.parse({});
const spec = plannerKind.specification(outline, settings, { seed: 7, value: false });
const table = () => new PlannerSituations(new PlanEncoder(outline, spec));
const memory = (parcels: string[], stamped: number[] = []) => ({ parcels, stamped: new Set(stamped), log: [] });

describe('the specification', () => {
  it('takes tools and features from the flow, sizes from the job', () => {
    expect(spec).toEqual({
      kind: 'planner',
      tools: [
        { name: 'stamp', arity: 1 },
        { name: 'leave', arity: 0 },
      ],
      features: { state: 1, item: 1, action: 1 },
      text: { buckets: 1024, embed: 24, encoder: 'bag', width: 24, layers: 1, maxLength: 64 },
      hidden: 64,
      seed: 7,
    });
    const needs = { seed: 1, value: true };
    expect(plannerKind.specification(outline, { ...settings, encoder: 'gru', width: 48 }, needs)).toMatchObject({
      text: { width: 48 },
      value: true,
    });
    const bare = flowOutline({ tools: {}, features: {} });
    expect(plannerKind.specification(bare, settings, needs).features).toEqual({ state: 0, item: 0, action: 0 });
  });
});

describe('PlanEncoder', () => {
  it('turns names into the numbers the policy knows them by', () => {
    const situations = table();
    const observation = new PlanEncoder(outline, spec).encode(flow.plan(memory(['red box', 'tin'], [1])), situations);
    expect(observation).toEqual({
      text: 2,
      flags: [1],
      // The second parcel is called the third word of "stamp red box tin": `at` counts words, not parcels.
      items: [
        { text: 0, at: 1, flags: [0] },
        { text: 1, at: 2, flags: [1] },
      ],
      actions: [
        { tool: 0, args: [0], flags: [1] },
        { tool: 0, args: [1], flags: [0] },
        { tool: 1, args: [], flags: [0] },
      ],
    });
    expect(situations.texts[0]).toEqual(tokenize('red box', spec.text));
  });

  it('maps words to tokens, and to nowhere past the tokens kept', () => {
    const short = { ...spec, text: { ...spec.text, maxLength: 4 } };
    const plan = { text: 'a-b c d', items: [{ at: 0 }, { at: 1 }, { at: 2 }, { at: 9 }], actions: [{ tool: 'leave' }] };
    const { items } = new PlanEncoder(outline, short).encode(plan, table());
    expect(items.map((item) => item.at)).toEqual([0, 3, -1, -1]);
  });
});

describe('PlannerSituations', () => {
  const words = fc.array(fc.constantFrom('red', 'tin', 'box', 'big'), { minLength: 1, maxLength: 3 });
  const member = fc.array(
    words.chain((parcels) => fc.subarray(parcels.map((_, i) => i)).map((stamped) => ({ parcels, stamped }))),
    { maxLength: 5 },
  );

  /** Encodes the members' plans in the given interleaving and returns the experience. */
  function experience(members: { parcels: string[]; stamped: number[] }[][], order: number[]): Uint8Array {
    const situations = table();
    const decisions: RecordedChoice[][] = members.map(() => []);
    for (const m of order) {
      const step = decisions[m]!.length;
      const situation = members[m]![step]!;
      const index = situations.add(flow.plan(memory(situation.parcels, situation.stamped)));
      decisions[m]!.push({ situation: index, action: step % (situation.parcels.length + 1), logProbability: -step });
    }
    return situations.encode(decisions, 0.5);
  }

  it('holds each distinct situation once, however steps interleaved', () => {
    const group = fc.array(member, { minLength: 1, maxLength: 4 });
    const shuffled = group.chain((members) => {
      const steps = members.flatMap((steps, m) => steps.map(() => m));
      return fc.tuple(fc.constant(members), fc.shuffledSubarray(steps, { minLength: steps.length }));
    });
    fc.assert(
      fc.property(shuffled, ([members, order]) => {
        const bytes = experience(members, order);
        expect(Buffer.from(bytes)).toEqual(
          Buffer.from(
            experience(
              members,
              [...order].sort((a, b) => a - b),
            ),
          ),
        );
        const { texts, observations, decisions, temperature } = plannerParts(decodeExperience(bytes));
        expect(temperature).toBe(0.5);
        expect(new Set(observations.map(String)).size).toBe(observations.length);
        expect(new Set(texts.map(String)).size).toBe(texts.length);
        members.forEach((steps, m) =>
          steps.forEach(({ parcels, stamped }, step) => {
            const observed = decodeObservation(observations[decisions[m]!.observation[step]!]!, spec);
            const text = texts[observed.text]!;
            expect([...new Int32Array(text.slice().buffer)]).toEqual([...tokenize(`stamp ${parcels.join(' ')}`, spec.text)]);
            expect(observed.items.map((item) => item.flags[0])).toEqual(parcels.map((_, i) => Number(stamped.includes(i))));
            observed.items.forEach((item, i) =>
              expect([...new Int32Array(texts[item.text]!.slice().buffer)]).toEqual([...tokenize(parcels[i]!, spec.text)]),
            );
            expect(decisions[m]!.action[step]).toBe(step % (parcels.length + 1));
            expect(decisions[m]!.logProbability[step]).toBe(-step);
          }),
        );
      }),
      { numRuns: 30 },
    );
  });
});
