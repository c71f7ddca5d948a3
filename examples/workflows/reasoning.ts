/** Think first, answer then, and check the answer: a wrong one is worked out again. */
import { defineWorkflow, z } from 'millrace';

const equation = z.object({ steps: z.array(z.string()), x: z.number() });

export default defineWorkflow({
  name: 'reasoning',
  description: 'Solves a · x + b = c, and puts the answer into the equation.',
  input: z.object({ a: z.number(), b: z.number(), c: z.number() }),
  steps: {
    think: {
      model: 'thinker',
      prompt: ({ input: { a, b, c } }) => `Solve ${a} · x + ${b} = ${c}. Give your steps, then x.`,
      output: equation,
    },
    check: {
      after: ['think'],
      run: ({ input: { a, b, c }, results }) => Math.abs(a * (results['think'] as z.infer<typeof equation>).x + b - c) < 1e-9,
    },
    again: {
      after: ['check'],
      model: 'thinker',
      prompt: ({ input: { a, b, c }, results }) =>
        results['check'] === true
          ? `Repeat this as JSON: ${JSON.stringify(results['think'])}`
          : `x = ${(results['think'] as z.infer<typeof equation>).x} is wrong for ${a} · x + ${b} = ${c}. Solve it again.`,
      output: equation,
    },
  },
  answer: ({ again }) => (again as z.infer<typeof equation>).x,
});
