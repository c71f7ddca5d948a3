/** The smallest policy that writes: a table of logits over a few tokens. No tensor library, and a gradient of its own. */
import { z, type PolicyKind } from 'millrace';
import { uniforms } from '../softmax.ts';
import { Acting, Learner, LOGITS, type SpellerSpec } from './policy.ts';
import { Conversations } from './situations.ts';
import { isGrammatical, read, STATES, WRITTEN } from './vocabulary.ts';

const settings = z.strictObject({
  grammar: z.number().min(0).max(10).default(3).describe('how far texts that are calls are ahead at first, in nats'),
  maxTokens: z.int().min(1).max(100).default(6).describe('longest text, in tokens'),
});

export const spellerKind: PolicyKind<SpellerSpec, z.infer<typeof settings>, Conversations> = {
  name: 'speller',
  decides: 'generated',
  settings,
  specification: ({ tools }, given, { seed, value }) => ({
    kind: 'speller',
    tools: tools.map(({ name }) => name),
    ...given,
    seed,
    value,
  }),
  difference: ({ tools: first }, { tools: second }) =>
    first.join() === second.join() ? undefined : { field: 'tools', first: first.join(', '), second: second.join(', ') },
  misfit: ({ tools }, spec) => spellerKind.difference({ ...spec, tools: tools.map(({ name }) => name) }, spec),
  layout: ({ value }) => [
    { name: 'logits', shape: [LOGITS], offset: 0, size: LOGITS },
    ...(value ? [{ name: 'values', shape: [STATES], offset: LOGITS, size: STATES }] : []),
  ],
  initial(spec) {
    const next = uniforms(spec.seed);
    const words = WRITTEN.length;
    const logits = Array.from({ length: LOGITS }, (_, i) => {
      const before = Math.floor(i / words) % (words + 1);
      const grammar = isGrammatical(before === 0 ? undefined : before - 1, i % words) ? spec.grammar : 0;
      return grammar + 0.2 * next();
    });
    const values = spec.value ? new Array<number>(STATES).fill(0) : [];
    return { tensors: this.layout(spec), values: Float32Array.from([...logits, ...values]) };
  },
  actor: (spec) => ({ situations: () => new Conversations(), policy: () => new Acting(spec), read }),
  learner: (spec) => new Learner(spec),
};
