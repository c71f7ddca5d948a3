/** A lever to pull, whose tasks go wrong in every way there is: `kind` of the task says how. */
import { defineFlow, defineTool, ToolError, z } from 'millrace';

const KINDS = [
  'fine',
  'tool-error',
  'slow-tool',
  'broken-tool',
  'broken-flow',
  'broken-reward',
  'flaky-tool',
  'deadly',
  'exits',
] as const;
const taskSchema = z.object({ id: z.string(), kind: z.enum(KINDS) });
type Task = z.infer<typeof taskSchema>;

interface Memory {
  kind: Task['kind'];
  pulls: string[];
}

const tool = defineTool<Memory>();
const nothing = z.object({});
/** Calls of the flaky tool in this process: every second one crashes. */
let flaky = 0;

function pull(side: string) {
  return (_: unknown, memory: Memory): unknown => {
    if (memory.kind === 'tool-error' && side === 'right') throw new ToolError('the right lever is locked');
    if (memory.kind === 'slow-tool') return new Promise(() => {});
    if (memory.kind === 'broken-tool') throw new TypeError('the lever came off');
    if (memory.kind === 'deadly') process.kill(process.pid, 'SIGKILL');
    if (memory.kind === 'exits') process.exit(7);
    if (memory.kind === 'flaky-tool') {
      flaky += 1;
      if (flaky % 2 === 0) throw new Error('not this time');
    }
    memory.pulls.push(side);
    return 'clack';
  };
}

export default defineFlow<Task, Memory>({
  name: 'faulty',
  task: taskSchema,
  load: ({ options }) => {
    const kinds = z.array(z.enum(KINDS)).parse(options['kinds'] ?? ['fine']);
    return { tasks: Array.from({ length: 20 }, (_, i) => ({ id: `task-${i}`, kind: kinds[i % kinds.length]! })) };
  },
  tools: {
    left: tool({ description: 'Pulls the left lever.', input: nothing, arguments: () => ({}), run: pull('left') }),
    right: tool({ description: 'Pulls the right lever.', input: nothing, arguments: () => ({}), run: pull('right') }),
  },
  features: {},
  toolTimeoutMs: 50,
  remember: ({ kind }) => ({ kind, pulls: [] }),
  plan: ({ kind, pulls }) => {
    if (kind === 'broken-flow') throw new RangeError('no plan today');
    return { items: [], actions: pulls.length > 1 ? [] : [{ tool: 'left' }, { tool: 'right' }] };
  },
  verify: () => 'continue',
  maxSteps: () => 3,
  answer: ({ pulls }) => pulls,
  reward: ({ kind }, answer) => {
    if (kind === 'broken-reward') throw new Error('no verdict');
    return (answer as string[])[0] === 'left' ? 1 : 0;
  },
});
