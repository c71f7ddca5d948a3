/** Sort the letters of a word by swapping neighbours. */
import { defineFlow, defineTool, readTasks, seededRandom, ToolError, z } from 'millrace';

const taskSchema = z.object({ id: z.string(), word: z.string().min(2).max(6) });
type Task = z.infer<typeof taskSchema>;

interface Memory {
  letters: string[];
}

const tool = defineTool<Memory>();

export default defineFlow<Task, Memory>({
  name: 'sort-letters',
  description: 'Sorts the letters of a word.',
  task: taskSchema,

  async load({ data, seed }) {
    // A file of {"id", "word"} given as --data; .json, .jsonl or .csv. Wrong tasks are reported with their line.
    if (data !== undefined) return readTasks<Task>(data);
    const random = seededRandom(seed);
    const word = () => Array.from({ length: 3 + random.integer(3) }, () => 'abcdefgh'[random.integer(8)]).join('');
    return { tasks: Array.from({ length: 100 }, (_, i) => ({ id: `word-${i}`, word: word() })) };
  },
  // Equal words are on the same side of the held-out split.
  splitKey: (task) => task.word,

  tools: {
    swap: tool({
      description: 'Swaps a letter with the one to its right.',
      input: z.object({ at: z.int().min(0) }),
      pointers: 1,
      arguments: (_memory, item) => ({ at: item ?? 0 }),
      run({ at }, memory) {
        const [left, right] = [memory.letters[at], memory.letters[at + 1]];
        if (left === undefined || right === undefined) throw new ToolError('there is no letter to the right');
        memory.letters[at] = right;
        memory.letters[at + 1] = left;
        return memory.letters.join('');
      },
    }),
    done: tool({ description: 'Says that the word is sorted.', input: z.object({}), arguments: () => ({}), run: () => 'ok' }),
  },

  features: { state: ['length'], item: ['after_next', 'last'] },

  remember: (task) => ({ letters: [...task.word] }),

  plan: ({ letters }) => ({
    flags: { length: letters.length / 6 },
    items: letters.map((letter, i) => ({
      flags: { after_next: letter > (letters[i + 1] ?? letter), last: i === letters.length - 1 },
    })),
    actions: [...letters.map((_, i) => ({ tool: 'swap', items: [i] })), { tool: 'done' }],
  }),

  verify: (_memory, { tool: name }) => (name === 'done' ? 'stop' : 'continue'),
  maxSteps: (task) => task.word.length ** 2,
  answer: ({ letters }) => letters.join(''),
  reward: (task, answer) => (answer === [...task.word].sort().join('') ? 1 : 0),

  rule({ letters }, { actions }) {
    const at = letters.findIndex((letter, i) => letter > (letters[i + 1] ?? letter));
    return at < 0 ? actions.length - 1 : at;
  },
});
