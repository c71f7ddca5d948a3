/** Two levers to pull, through a service that the simulator makes fail: green and blue pay, red does not. */
import { defineFlow, defineTool, metered, RetryLater, z } from 'millrace';
import { banditKind } from '../bandit/kind.ts';

/** Policy kinds of this flow: `policy.kind: bandit`. */
export const policyKinds = [banditKind];

type Busy = { retryAfterMs: number } | undefined;

/** What the simulator puts under `globalThis.millraceSimulation`: the service behind tools and reward. */
interface Service {
  begun(): number;
  tool(where: string, name: string, signal: AbortSignal): Promise<Busy>;
  cost(name: string): number | undefined;
  reward(trajectory: number, where: string): Promise<Busy>;
  brokenIsScored(trajectory: number): void;
}

const taskSchema = z.object({ id: z.string() });
type Task = z.infer<typeof taskSchema>;

interface Memory {
  task: string;
  trajectory: number;
  pulls: string[];
  broken: boolean;
}

const answerSchema = z.object({ pulls: z.array(z.string()), trajectory: z.number(), broken: z.boolean() });
const tool = defineTool<Memory>();
const nothing = z.object({});

const service = (): Service | undefined => (globalThis as { millraceSimulation?: Service }).millraceSimulation;

function checkBusy(busy: Busy): void {
  if (busy) throw new RetryLater({ afterMs: busy.retryAfterMs, reason: 'the lever service is busy' });
}

const lever = (name: string) =>
  tool({
    description: `Pulls the ${name} lever.`,
    input: nothing,
    arguments: () => ({}),
    run: async (_, memory, signal) => {
      memory.broken = true;
      checkBusy(await service()?.tool(`${memory.task}/${memory.pulls.length}`, name, signal));
      memory.broken = false;
      memory.pulls.push(name);
      const cost = service()?.cost(name);
      return cost === undefined ? 'clack' : metered('clack', { cost });
    },
  });

export default defineFlow<Task, Memory>({
  name: 'simulated',
  task: taskSchema,
  load: () => ({ tasks: Array.from({ length: 10 }, (_, i) => ({ id: `levers-${i}` })) }),
  tools: { green: lever('green'), blue: lever('blue'), red: lever('red') },
  features: {},
  toolTimeoutMs: 2_000,
  remember: ({ id }) => ({ task: id, trajectory: service()?.begun() ?? 0, pulls: [], broken: false }),
  plan: ({ pulls }) => ({ items: [], actions: pulls.length > 1 ? [] : ['green', 'blue', 'red'].map((name) => ({ tool: name })) }),
  verify: () => 'continue',
  maxSteps: () => 2,
  answer: ({ pulls, trajectory, broken }) => ({ pulls, trajectory, broken }),
  reward: async ({ id }, answer) => {
    const { pulls, trajectory, broken } = answerSchema.parse(answer);
    if (broken) service()?.brokenIsScored(trajectory);
    checkBusy(await service()?.reward(trajectory, id));
    const outcome = pulls.filter((name) => name !== 'red').length / 2;
    const cost = service()?.cost('reward');
    return cost === undefined ? outcome : { outcome, usage: { cost } };
  },
});
