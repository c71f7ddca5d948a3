/** A lever to pull, through a service that may be away: `outage` of the source says when. */
import { existsSync } from 'node:fs';
import { defineFlow, defineTool, RetryLater, z } from 'millrace';

/** Set by a test in this process: throws what the service answers with. */
export type Service = (call: { at: 'tool' | 'reward'; task: string }) => void;

const taskSchema = z.object({ id: z.string() });
type Task = z.infer<typeof taskSchema>;

interface Memory {
  task: string;
  pulls: string[];
}

let file: string | undefined;
let where: string | undefined;

function call(at: 'tool' | 'reward', task: string): void {
  (globalThis as { millraceTestService?: Service }).millraceTestService?.({ at, task });
  if (file !== undefined && where === at && existsSync(file)) {
    // eslint-disable-next-line no-console -- flows of users print
    console.log('the lever API is away');
    throw new RetryLater({ afterMs: 500, reason: 'lever API: HTTP 429' });
  }
}

const tool = defineTool<Memory>();
const nothing = z.object({});

function pull(side: string) {
  return async (_: unknown, memory: Memory): Promise<string> => {
    await Promise.resolve();
    call('tool', memory.task);
    memory.pulls.push(side);
    return 'clack';
  };
}

export default defineFlow<Task, Memory>({
  name: 'outage',
  task: taskSchema,
  load: ({ options }) => {
    const source = z.object({ file: z.string().optional(), where: z.enum(['tool', 'reward']).default('tool') }).parse(options);
    ({ file, where } = source);
    return { tasks: Array.from({ length: 20 }, (_, i) => ({ id: `task-${i}` })) };
  },
  tools: {
    left: tool({ description: 'Pulls the left lever.', input: nothing, arguments: () => ({}), run: pull('left') }),
    right: tool({ description: 'Pulls the right lever.', input: nothing, arguments: () => ({}), run: pull('right') }),
  },
  features: {},
  remember: ({ id }) => ({ task: id, pulls: [] }),
  plan: ({ pulls }) => ({ items: [], actions: pulls.length > 1 ? [] : [{ tool: 'left' }, { tool: 'right' }] }),
  verify: () => 'continue',
  maxSteps: () => 3,
  answer: ({ task, pulls }) => ({ task, pulls }),
  reward: (_, answer) => {
    const { task, pulls } = answer as { task: string; pulls: string[] };
    call('reward', task);
    return pulls[0] === 'left' ? 1 : 0;
  },
});
