/** Steps at the same time: three opinions, and the one that most share. */
import { defineWorkflow, z } from 'millrace';

const vote = z.object({ label: z.enum(['spam', 'fine']) });
const opinion = (seed: number) => ({
  model: 'judge',
  prompt: ({ input }: { input: string }) => `Is this message spam or fine?\n${input}`,
  output: vote,
  temperature: 1,
  seed,
  retries: 2,
});

export default defineWorkflow<string>({
  name: 'parallel',
  description: 'Asks a model three times, and takes the label that most answers have.',
  steps: {
    first: opinion(1),
    second: opinion(2),
    third: opinion(3),
    majority: {
      after: ['first', 'second', 'third'],
      run({ results }) {
        const votes = Object.values(results as Record<string, z.infer<typeof vote>>);
        return votes.filter(({ label }) => label === 'spam').length >= 2 ? 'spam' : 'fine';
      },
    },
  },
});
