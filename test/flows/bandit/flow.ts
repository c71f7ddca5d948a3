import { defineFlow, defineTool, z } from 'millrace';
import { banditKind } from './kind.ts';

/** Policy kinds of this flow: `policy.kind: bandit`. */
export const policyKinds = [banditKind];

interface Machine {
  id: string;
  pays: string;
}

interface Memory {
  pulled?: string;
}

const lever = (name: string) =>
  defineTool<Memory>()({
    description: `Pulls the ${name} lever.`,
    input: z.object({}),
    arguments: () => ({}),
    run: (_, memory) => (memory.pulled = name),
  });

/** One lever of four pays, always the same: the flow ends after one pull. */
export default defineFlow<Machine, Memory>({
  name: 'one-armed',
  task: z.object({ id: z.string(), pays: z.string() }),
  load: () => ({ tasks: Array.from({ length: 20 }, (_, i) => ({ id: `machine-${i}`, pays: 'green' })) }),
  tools: { red: lever('red'), green: lever('green'), blue: lever('blue'), grey: lever('grey') },
  features: {},
  remember: () => ({}),
  plan: () => ({ items: [], actions: ['red', 'green', 'blue', 'grey'].map((tool) => ({ tool })) }),
  verify: () => 'stop',
  answer: ({ pulled = '' }) => pulled,
  reward: ({ pays }, answer) => (answer === pays ? 1 : 0),
});
