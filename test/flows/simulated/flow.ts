/** Two levers to pull, through a service that the simulator makes fail: green and then blue pays. */
import { defineFlow, defineTool, RetryLater, z } from 'millrace';
import { banditKind } from '../bandit/kind.ts';

/** Policy kinds of this flow: `policy.kind: bandit`. */
export const policyKinds = [banditKind];

/** What the simulator puts under `globalThis.millraceSimulation`: how the service behind tool and reward behaves at a call. */
export interface SimulatedService {
  call(at: 'tool' | 'reward', where: string): Promise<{ retryAfterMs: number } | undefined>;
}

const taskSchema = z.object({ id: z.string() });
type Task = z.infer<typeof taskSchema>;

interface Memory {
  task: string;
  pulls: string[];
}

const tool = defineTool<Memory>();
const nothing = z.object({});

async function call(at: 'tool' | 'reward', where: string): Promise<void> {
  const service = (globalThis as { millraceSimulation?: SimulatedService }).millraceSimulation;
  const busy = await service?.call(at, where);
  if (busy) throw new RetryLater({ afterMs: busy.retryAfterMs, reason: 'the lever service is busy' });
}

const lever = (name: string) =>
  tool({
    description: `Pulls the ${name} lever.`,
    input: nothing,
    arguments: () => ({}),
    run: async (_, memory) => {
      await call('tool', `${memory.task}/${memory.pulls.length}`);
      memory.pulls.push(name);
      return 'clack';
    },
  });

export default defineFlow<Task, Memory>({
  name: 'simulated',
  task: taskSchema,
  load: () => ({ tasks: Array.from({ length: 10 }, (_, i) => ({ id: `levers-${i}` })) }),
  tools: { green: lever('green'), blue: lever('blue'), red: lever('red') },
  features: {},
  toolTimeoutMs: 2_000,
  remember: ({ id }) => ({ task: id, pulls: [] }),
  plan: ({ pulls }) => ({ items: [], actions: pulls.length > 1 ? [] : ['green', 'blue', 'red'].map((name) => ({ tool: name })) }),
  verify: () => 'continue',
  maxSteps: () => 2,
  answer: ({ pulls }) => pulls,
  reward: async ({ id }, answer) => {
    await call('reward', id);
    return (answer as string[]).filter((name) => name !== 'red').length / 2;
  },
});
