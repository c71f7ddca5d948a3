import { setTimeout as sleep } from 'node:timers/promises';
import { defineFlow, defineTool, z } from 'millrace';

interface Memory {
  left: number;
  waitMs: number;
  right: number;
}

const tool = defineTool<Memory>();
const STEPS = 6;
const act = (name: string, isRight: boolean) =>
  tool({
    description: `Takes the ${name} branch.`,
    input: z.object({}),
    arguments: () => ({}),
    // As a service does that answers after a while.
    async run(_input, memory) {
      await sleep(memory.waitMs);
      memory.left -= 1;
      if (isRight) memory.right += 1;
    },
  });

/** Six steps, in each of which a tool waits: what agents that call services spend their time with. */
export default defineFlow<{ id: string; waitMs: number }, Memory>({
  name: 'waiting',
  task: z.object({ id: z.string(), waitMs: z.number().min(0) }),
  load({ options }) {
    const waitMs = Number((options as { waitMs?: number }).waitMs ?? 50);
    return { tasks: Array.from({ length: 20 }, (_, i) => ({ id: `task-${i}`, waitMs })) };
  },
  features: {},
  tools: { left: act('left', false), right: act('right', true) },
  remember: ({ waitMs }) => ({ left: STEPS, waitMs, right: 0 }),
  plan: ({ left }) => ({ items: [], actions: left > 0 ? [{ tool: 'left' }, { tool: 'right' }] : [] }),
  verify: ({ left }) => (left === 0 ? 'stop' : 'continue'),
  answer: ({ right }) => right,
  reward: (_task, right) => (right as number) / STEPS,
});
