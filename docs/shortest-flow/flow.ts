import { defineFlow, defineTool, seededRandom, ToolError, z } from 'millrace';

type Memory = { letters: string[] };
const tool = defineTool<Memory>();

export default defineFlow<{ id: string; word: string }, Memory>({
  name: 'sort-letters',
  task: z.object({ id: z.string(), word: z.string() }),
  load({ seed }) {
    const random = seededRandom(seed);
    const word = () => Array.from({ length: 4 }, () => 'abcdefgh'[random.integer(8)]).join('');
    return { tasks: Array.from({ length: 100 }, (_, i) => ({ id: `word-${i}`, word: word() })) };
  },
  tools: {
    swap: tool({
      description: 'Swaps a letter with the one to its right.',
      input: z.object({ at: z.int() }),
      pointers: 1,
      arguments: (_memory, item) => ({ at: item! }),
      run({ at }, { letters }) {
        if (at + 1 === letters.length) throw new ToolError('there is no letter to the right');
        [letters[at], letters[at + 1]] = [letters[at + 1]!, letters[at]!];
      },
    }),
    done: tool({ description: 'Says that the word is sorted.', input: z.object({}), arguments: () => ({}), run: () => 'ok' }),
  },
  features: { item: ['after_next'] },
  remember: (task) => ({ letters: [...task.word] }),
  plan: ({ letters }) => ({
    items: letters.map((letter, i) => ({ flags: { after_next: letter > (letters[i + 1] ?? letter) } })),
    actions: [...letters.map((_, i) => ({ tool: 'swap', items: [i] })), { tool: 'done' }],
  }),
  maxSteps: () => 32,
  verify: (_memory, outcome) => (outcome.tool === 'done' ? 'stop' : 'continue'),
  answer: ({ letters }) => letters.join(''),
  reward: (task, answer) => (answer === [...task.word].sort().join('') ? 1 : 0),
});
