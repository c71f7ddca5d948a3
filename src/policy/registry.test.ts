import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { charActor } from '../flow/fixtures/char-policy.ts';
import type { PolicyActor } from './kind.ts';
import { actorOf, kindsOf, type AnyPolicyKind } from './registry.ts';

const nothing = (): never => {
  throw new Error('not called');
};

function kind(parts: Partial<AnyPolicyKind> = {}): AnyPolicyKind {
  const functions = { specification: nothing, difference: nothing, misfit: nothing, layout: nothing, initial: nothing };
  return { name: 'chars', settings: z.object({}), ...functions, actor: nothing, learner: nothing, ...parts };
}

describe('kindsOf', () => {
  it('has the built-in kinds and those of the module', () => {
    expect(kindsOf([kind()], 'flow.ts').names).toEqual(['planner', 'llama', 'chars']);
    expect(kindsOf(undefined, 'flow.ts').names).toEqual(['planner', 'llama']);
  });

  it.each<[string, unknown, RegExp]>([
    ['no list', {}, /policyKinds must be a list/],
    ['a name that is taken', [kind({ name: 'planner' })], /the name "planner" is taken/],
    ['no name', [kind({ name: 'Ch' })], /needs a name/],
    [
      'a way to decide that there is not',
      [kind({ decides: 'text' as never })],
      /decides must be 'choice' or 'generated', got "text"/,
    ],
    ['a function missing', [kind({ learner: undefined as never })], /learner must be a function/],
  ])('refuses %s', (_, exported, message) => {
    const refused = { code: 'invalid_argument', field: 'policyKinds', message: expect.stringMatching(message) as string };
    expect(() => kindsOf(exported, 'flow.ts')).toThrow(expect.objectContaining(refused) as Error);
  });
});

describe('actorOf', () => {
  const outline = { tools: [], features: { state: [], item: [], action: [] } };
  const spec = { kind: 'chars' };

  it('loads the kind first', async () => {
    let loaded = false;
    const made = kind({
      decides: 'generated',
      load: async () => void (loaded = true),
      actor: () => (expect(loaded).toBe(true), charActor),
    });
    expect(await actorOf(made, spec, outline)).toBe(charActor);
  });

  it('refuses an actor that does not decide as its kind says', async () => {
    const chooses: PolicyActor = { situations: () => charActor.situations(), policy: () => charActor.policy() };
    for (const made of [kind({ decides: 'generated', actor: () => chooses }), kind({ actor: () => charActor })])
      await expect(actorOf(made, spec, outline)).rejects.toThrow(/"chars": `read` belongs to the actor of a kind with/);
  });
});
