import { defineFlow, defineTool, z } from 'millrace';
import { spellerKind } from './kind.ts';

/** Policy kinds of this flow: `policy.kind: speller`. */
export const policyKinds = [spellerKind];

const COLOURS = ['red', 'green', 'blue'] as const;

interface Box {
  id: string;
  colour: (typeof COLOURS)[number];
}

interface Memory extends Box {
  picked?: string;
}

const tool = defineTool<Memory>();

/** A box has a colour: look at it, then name it. The flow ends when a colour is named. */
export default defineFlow<Box, Memory>({
  name: 'colours',
  task: z.object({ id: z.string(), colour: z.enum(COLOURS) }),
  load: () => ({ tasks: Array.from({ length: 30 }, (_, i) => ({ id: `box-${i}`, colour: COLOURS[i % 3]! })) }),
  tools: {
    look: tool({
      description: 'Says which colour the box has.',
      input: z.strictObject({}),
      arguments: () => ({}),
      run: (_, { colour }) => colour,
    }),
    pick: tool({
      description: 'Names the colour.',
      input: z.object({ colour: z.enum(COLOURS) }),
      arguments: ({ colour }) => ({ colour }),
      run: ({ colour }, memory) => (memory.picked = colour),
    }),
  },
  features: {},
  remember: (box) => ({ ...box }),
  plan: () => ({ items: [], actions: [{ tool: 'look' }, { tool: 'pick' }] }),
  verify: ({ picked }) => (picked === undefined ? 'continue' : 'stop'),
  maxSteps: () => 3,
  answer: ({ picked = '' }) => picked,
  reward: ({ colour }, answer) => (answer === colour ? 1 : 0),
});
