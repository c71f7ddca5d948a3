/** Steps one after another: a draft, what is wrong with it, and a better text. */
import { defineWorkflow, z } from 'millrace';

export default defineWorkflow({
  name: 'sequential',
  description: 'Writes a text, reviews it, and writes it again.',
  input: z.string().min(1),
  steps: {
    draft: { model: 'writer', prompt: ({ input }) => `Write one paragraph about: ${input}` },
    review: {
      after: ['draft'],
      model: 'writer',
      prompt: ({ results }) => `Name the worst mistake of this text:\n${results['draft']}`,
    },
    final: {
      after: ['review'],
      model: 'writer',
      prompt: ({ results }) => `Correct the text.\n\nText: ${results['draft']}\n\nMistake: ${results['review']}`,
    },
  },
});
