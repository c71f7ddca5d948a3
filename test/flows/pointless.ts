/** Flows of which nothing can be learned, and one whose policy is easily ruined: `kind` of the source says which. */
import { defineFlow, defineTool, RetryLater, seededRandom, z } from 'millrace';

const taskSchema = z.object({ id: z.string() });
interface Memory {
  id: string;
  kind: string;
  done: string[];
}

const KINDS = ['equal', 'one-action', 'patience'] as const;
let kind: (typeof KINDS)[number] = 'equal';
let calls = 0;

const tool = defineTool<Memory>();
const act = (name: string) =>
  tool({
    description: `Does ${name}.`,
    input: z.object({}),
    arguments: () => ({}),
    run: (_, memory) => {
      calls += 1;
      // Virtual time passes only while something waits, and progress is seen only as time passes.
      if (memory.kind === 'patience' && calls % 16 === 0) throw new RetryLater({ reason: 'a rate limit' });
      return memory.done.push(name);
    },
  });

export default defineFlow<z.infer<typeof taskSchema>, Memory>({
  name: 'pointless',
  task: taskSchema,
  load: ({ options }) => {
    kind = z.enum(KINDS).parse(options['kind']);
    return { tasks: Array.from({ length: 20 }, (_, i) => ({ id: `task-${i}` })) };
  },
  tools: { work: act('work'), stop: act('stop') },
  features: { state: ['done'] },
  remember: ({ id }) => ({ id, kind, done: [] }),
  plan: (memory) => {
    const { done } = memory;
    const actions = memory.kind === 'one-action' ? [{ tool: 'work' }] : [{ tool: 'work' }, { tool: 'stop' }];
    return { flags: { done: done.length / 8 }, items: [], actions: done.includes('stop') || done.length > 5 ? [] : actions };
  },
  verify: () => 'continue',
  answer: ({ id, done }) => [id, ...done],
  reward: (_, answer) => {
    const [id, ...done] = answer as string[];
    if (kind === 'equal') return 0;
    // Luck: rewards differ although nothing was decided.
    if (kind === 'one-action') return seededRandom(`${id}/${Math.random()}`).uniform() < 0.5 ? 0 : 1;
    // Stopping at once is a small reward for sure; a large one is far away.
    return done[0] === 'stop' ? 0.1 : 0;
  },
});
