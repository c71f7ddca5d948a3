import { defineFlow, defineTool, z } from 'millrace';

/** Words of the model that this flow is for, a token each: what it is told, and the calls that it can write. */
export const COLOURS = ['red', 'green', 'blue'] as const;
export const CALLS = COLOURS.map((colour) => `<tool_call>\n{"name": "pick", "arguments": {"colour": "${colour}"}}\n</tool_call>`);

interface Box {
  id: string;
  colour: (typeof COLOURS)[number];
}

interface Memory extends Box {
  picked?: string;
}

const tool = defineTool<Memory>();

/** Somebody says a colour, and the model has to pick it. A quarter of the reward is for picking any. */
export default defineFlow<Box, Memory>({
  name: 'colour-talk',
  task: z.object({ id: z.string(), colour: z.enum(COLOURS) }),
  load: () => ({ tasks: Array.from({ length: 30 }, (_, i) => ({ id: `box-${i}`, colour: COLOURS[i % 3]! })) }),
  tools: {
    pick: tool({
      description: 'Picks a colour.',
      input: z.object({ colour: z.enum(COLOURS) }),
      arguments: ({ colour }) => ({ colour }),
      run: ({ colour }, memory) => (memory.picked = colour),
    }),
  },
  features: {},
  remember: (box) => ({ ...box }),
  plan: ({ colour }) => ({
    ...{ items: [], actions: [{ tool: 'pick' }] },
    conversation: { messages: [{ role: 'user', content: colour }], tools: [] },
  }),
  rule: () => 0,
  verify: () => 'stop',
  maxSteps: () => 1,
  answer: ({ picked = '' }) => picked,
  reward: ({ colour }, answer) => (answer === colour ? 1 : answer === '' ? 0 : 0.25),
});
