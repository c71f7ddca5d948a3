import { describe, expect, it } from 'vitest';
import type { Capability, DecideRequest, GenerateRequest, Inference, InferenceWeights, ScoreRequest } from './inference.ts';

/** An implementation with questions to ask; at least four for each capability that it has, and none for the others. */
export interface InferenceHarness {
  inference: Inference;
  lease: InferenceWeights;
  decide?: readonly Omit<DecideRequest, 'lease'>[];
  generate?: readonly Omit<GenerateRequest, 'lease'>[];
  /** Tokens that it wrote, or that the script scores. */
  score?: readonly Omit<ScoreRequest, 'lease'>[];
}

const CAPABILITIES: readonly Capability[] = ['decide', 'generate', 'score'];

/**
 * What every implementation of the Inference port must do.
 * @param make - called for each case
 */
export function inferenceConformance(name: string, make: () => InferenceHarness): void {
  describe(`${name} is an inference`, () => {
    it('says what can be asked, and refuses the rest by name', async () => {
      const harness = make();
      const { inference, lease } = harness;
      const can = inference.can(lease);
      expect([...can].sort()).toEqual(CAPABILITIES.filter((capability) => harness[capability] !== undefined).sort());
      const situation = (harness.decide ?? harness.generate ?? harness.score)![0]!;
      const common = { table: situation.table, situation: situation.situation, temperature: 1, lease };
      const ask: Record<Capability, () => Promise<unknown>> = {
        decide: () => inference.decide({ ...common, actions: 1 }),
        generate: () => inference.generate({ ...common, seed: 1 }),
        score: () => inference.score({ ...common, tokens: [1] }),
      };
      for (const capability of CAPABILITIES.filter((missing) => !can.has(missing)))
        await expect(ask[capability](), capability).rejects.toMatchObject({ code: 'failed_precondition', field: capability });
    });

    it('gives each of many choices a distribution over its own open actions', async () => {
      const { inference, lease, decide = [] } = make();
      const leave = decide.map(() => inference.join());
      const answers = await Promise.all(decide.map((request) => inference.decide({ ...request, lease })));
      answers.forEach((logs, i) => {
        expect(logs).toHaveLength(decide[i]!.actions);
        expect(logs.reduce((sum, log) => sum + Math.exp(log), 0)).toBeCloseTo(1, 5);
      });
      leave.forEach((end) => end());
    });

    it('generates tokens with their log-probabilities', async () => {
      const { inference, lease, generate = [] } = make();
      const leave = generate.map(() => inference.join());
      const answers = await Promise.all(generate.map((request) => inference.generate({ ...request, lease })));
      for (const { tokens, logProbabilities, finish } of answers) {
        expect(tokens.length).toBeGreaterThan(0);
        expect(tokens.every((token) => Number.isInteger(token) && token >= 0 && token < 2 ** 32)).toBe(true);
        expect(logProbabilities).toHaveLength(tokens.length);
        expect(logProbabilities.every((log) => Number.isFinite(log) && log <= 0)).toBe(true);
        expect(['stop', 'length']).toContain(finish);
      }
      leave.forEach((end) => end());
    });

    it('answers the same alone as among others', async () => {
      const { decide = [], generate = [], score = [], ...together } = make();
      const one = make();
      for (const [i, request] of decide.entries()) {
        const among = await Promise.all(decide.map((other) => together.inference.decide({ ...other, lease: together.lease })));
        const alone = await one.inference.decide({ ...one.decide![i]!, lease: one.lease });
        alone.forEach((log, a) => expect(log).toBeCloseTo(among[i]![a]!, 5));
        expect(request.actions).toBe(alone.length);
        break;
      }
      const generations = await Promise.all(
        generate.map((other) => together.inference.generate({ ...other, lease: together.lease })),
      );
      for (const [i, { tokens }] of generations.entries())
        expect((await one.inference.generate({ ...one.generate![i]!, lease: one.lease })).tokens).toEqual(tokens);
      const scores = await Promise.all(score.map((other) => together.inference.score({ ...other, lease: together.lease })));
      for (const [i, logs] of scores.entries()) {
        expect(logs).toHaveLength(score[i]!.tokens.length);
        const alone = await one.inference.score({ ...one.score![i]!, lease: one.lease });
        alone.forEach((log, t) => expect(log).toBeCloseTo(logs[t]!, 5));
      }
    });
  });
}
