/**
 * A flow whose calls cost money: `search` by the price table, `ask` by what it says, and its reward. Each call is a line of the file
 * named by `source.log`, written when it is made, so that a test knows what was really spent. `source.crashEvery`: so many searches of a
 * process until one crashes.
 */
import { appendFileSync } from 'node:fs';
import { defineFlow, defineTool, metered, z } from 'millrace';

const taskSchema = z.object({ id: z.string(), wanted: z.enum(['search', 'ask']) });
type Task = z.infer<typeof taskSchema>;

interface Source {
  log: string;
  crashEvery: number;
  waitMs: number;
}

interface Memory {
  wanted: Task['wanted'];
  used: string[];
  source: Source;
}

let searches = 0;
const tool = defineTool<Memory>();
const input = z.object({});
const pause = (ms: number): Promise<void> => new Promise((resolve) => (ms === 0 ? resolve() : setTimeout(resolve, ms)));

export default defineFlow<Task, Memory>({
  name: 'paid',
  task: taskSchema,
  load: ({ options }) => {
    const { log = '', crashEvery = 0, waitMs = 0 } = options;
    const tasks = Array.from({ length: 20 }, (_, i): Task => ({ id: `t${i}`, wanted: i % 2 === 0 ? 'search' : 'ask' }));
    return { tasks, context: { log: log as string, crashEvery: Number(crashEvery), waitMs: Number(waitMs) } satisfies Source };
  },
  tools: {
    search: tool({
      description: 'Costs what the price table says.',
      input,
      arguments: () => ({}),
      run: async (_, { used, source }) => {
        appendFileSync(source.log, 'search\n');
        searches += 1;
        await pause(source.waitMs);
        if (source.crashEvery > 0 && searches % source.crashEvery === 0) throw new Error('the connection broke');
        used.push('search');
        return 'found';
      },
    }),
    ask: tool({
      description: 'Says what it costs.',
      input,
      arguments: () => ({}),
      run: (_, { used, source }) => {
        appendFileSync(source.log, 'ask\n');
        used.push('ask');
        return metered('answer', { cost: 0.0015, tokensIn: 100, tokensOut: 10 });
      },
    }),
  },
  features: { state: ['searches'] },
  remember: ({ wanted }, context) => ({ wanted, used: [], source: context as Source }),
  plan: ({ wanted }) => ({
    state: { searches: wanted === 'search' },
    items: [],
    actions: [{ tool: 'search' }, { tool: 'ask' }],
  }),
  verify: ({ used }) => (used.length >= 3 ? 'stop' : 'continue'),
  answer: ({ used }) => used,
  reward: ({ wanted }, answer, context) => {
    appendFileSync((context as Source).log, 'judge\n');
    const right = z
      .array(z.string())
      .parse(answer)
      .filter((used) => used === wanted).length;
    return { outcome: right >= 2 ? 1 : 0, usage: { cost: 0.0001 } };
  },
});
