import { describe, expect, it } from 'vitest';
import { systemClock } from '../../clock/system.ts';
import { CharPolicy, CharSituations, charTokens, writes } from '../../flow/fixtures/char-policy.ts';
import { contentActor, ContentPolicy, contentSpec } from '../../flow/fixtures/content-policy.ts';
import { parcelFlow } from '../../flow/fixtures/parcels.ts';
import { inferenceConformance } from './conformance.ts';
import { MicroBatcher } from './micro-batcher.ts';
import { scriptedInference } from './scripted.ts';

const flow = parcelFlow();

function choosing() {
  const table = contentActor(flow).situations();
  return [['a'], ['b', 'c'], ['d'], ['e', 'f', 'g']].map((parcels) => {
    const plan = flow.plan({ parcels, stamped: new Set(), log: [] });
    return { table, situation: table.add(plan), actions: plan.actions.length, temperature: 0.7 };
  });
}

function writing() {
  const table = new CharSituations();
  return ['a', 'b', 'c', 'd'].map((text, i) => ({
    table,
    situation: table.add({ text, items: [], actions: [] }),
    temperature: i % 2,
    seed: 5 * i + 2,
  }));
}

const scoring = () => writing().map((request, i) => ({ ...request, temperature: 1, tokens: charTokens('ab'.slice(i % 2)) }));

inferenceConformance('a micro-batcher over a policy that chooses', () => ({
  inference: new MicroBatcher({ clock: systemClock }),
  lease: { version: 1, policy: new ContentPolicy(contentSpec(flow)).acting },
  decide: choosing(),
}));

inferenceConformance('a micro-batcher over a policy that writes', () => ({
  inference: new MicroBatcher({ clock: systemClock }),
  lease: { version: 1, policy: new CharPolicy() },
  generate: writing(),
  score: scoring(),
}));

inferenceConformance('a script', () => ({
  inference: scriptedInference({
    choices: [0, 1, [Math.log(0.25), Math.log(0.75)], 2],
    generations: [writes('a'), writes('bc', 'length'), writes('d'), writes('e')],
    scores: scoring().map(({ tokens }) => tokens.map(() => -0.5)),
  }),
  lease: { version: 1, policy: new CharPolicy() },
  decide: choosing(),
  generate: writing(),
  score: scoring(),
}));

inferenceConformance('a script of choices', () => ({
  inference: scriptedInference({ choices: [0, 1, [Math.log(0.25), Math.log(0.75)], 2] }),
  lease: { version: 1, policy: new CharPolicy() },
  decide: choosing(),
}));

describe('a micro-batcher over a policy that writes', () => {
  const ask = (batcher: MicroBatcher, policy: CharPolicy, version = 1) =>
    Promise.all(writing().map((request) => batcher.generate({ ...request, lease: { version, policy } })));

  it('asks it once for all that wait, at most `maxBatch`, each version for its own', async () => {
    const batcher = new MicroBatcher({ clock: systemClock, maxBatch: 3 });
    const [old, fresh] = [new CharPolicy(), new CharPolicy()];
    await Promise.all([ask(batcher, old), ask(batcher, fresh, 2)]);
    expect([old.batches, fresh.batches]).toEqual([
      [3, 1],
      [3, 1],
    ]);
    expect(batcher.stats).toEqual({ calls: 8, evaluated: 8, batches: 4 });
    expect(batcher.waiting).toBe(0);
  });

  it('gives a failure to those that waited for it, and goes on', async () => {
    const batcher = new MicroBatcher({ clock: systemClock });
    const policy = new CharPolicy();
    policy.generate = () => {
      throw new Error('out of memory');
    };
    await expect(ask(batcher, policy)).rejects.toThrow('out of memory');
    policy.generate = () => [];
    await expect(ask(batcher, policy)).rejects.toThrow('0 answers to 4 requests');
    expect(await ask(batcher, new CharPolicy())).toHaveLength(4);
  });
});

it('a script that is used up says so', async () => {
  const inference = scriptedInference({ generations: [writes('a')] });
  const [request] = writing();
  const ask = () => inference.generate({ ...request!, lease: { version: 1, policy: new CharPolicy() } });
  expect(await ask()).toEqual(writes('a'));
  await expect(ask()).rejects.toThrow(/no answer number 2 to generate/);
});
