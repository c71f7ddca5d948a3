import type { PlannerSpec } from '../../src/policy/planner/spec.ts';

/** One row of the table: a policy at a size. */
export interface ComputeCase {
  policy: PlannerSpec['text']['encoder'];
  /** How the size is named in tables and rows: batch x length x width, and layers where there are several kinds. */
  size: string;
  /** Observations in the batch. */
  batch: number;
  /** Tokens of every text. */
  length: number;
  /** Where texts stand: one for each observation, or one for each item (of the pool of `batch` texts). */
  texts: 'observation' | 'item';
  /** Items of an observation. */
  items: number;
  spec: PlannerSpec;
}

/** Tools of all arities with flags, as flows with pointers to memory have them; 4, 12 and 8 of the 24 actions open. */
const TOOLS: PlannerSpec['tools'] = [
  { name: 'finish', arity: 0 },
  { name: 'ask', arity: 0 },
  { name: 'transfer', arity: 0 },
  { name: 'wait', arity: 0 },
  ...['look', 'open', 'cancel', 'pay', 'return', 'move'].map((name) => ({ name, arity: 1 as const })),
  ...['add', 'subtract', 'multiply', 'divide'].map((name) => ({ name, arity: 2 as const })),
];

type Sizes = Pick<PlannerSpec['text'], 'buckets' | 'embed' | 'width'> & { batch: number; length: number; layers?: number };

function sized(policy: ComputeCase['policy'], sizes: Sizes): ComputeCase {
  const { batch, length, layers = 1, ...text } = sizes;
  return {
    policy,
    size: [batch, length, text.width, ...(policy === 'transformer' ? [layers] : [])].join('x'),
    batch,
    length,
    texts: 'observation',
    items: 12,
    spec: {
      kind: 'planner',
      tools: TOOLS,
      features: { state: 4, item: 6, action: 3 },
      text: { ...text, encoder: policy, layers, maxLength: length },
      hidden: 64,
      seed: 1,
    },
  };
}

/** The policy of examples/retail as its job has it: each request is an item with a text of its own. */
function retail(): ComputeCase {
  const tools: PlannerSpec['tools'] = [
    ...Array.from({ length: 7 }, (_, i) => ({ name: `conversation${i}`, arity: 0 as const })),
    ...Array.from({ length: 10 }, (_, i) => ({ name: `request${i}`, arity: 1 as const })),
  ];
  return {
    policy: 'bag',
    size: '256x24x24',
    batch: 256,
    length: 24,
    texts: 'item',
    items: 3,
    spec: {
      kind: 'planner',
      tools,
      features: { state: 6, item: 12, action: 0 },
      text: { buckets: 1024, embed: 24, encoder: 'bag', width: 24, layers: 1, maxLength: 64 },
      hidden: 64,
      seed: 1,
    },
  };
}

/** The table: three policies at three sizes each. */
export const CASES: readonly ComputeCase[] = [
  retail(),
  sized('bag', { batch: 64, length: 48, width: 64, embed: 64, buckets: 1024 }),
  sized('bag', { batch: 256, length: 48, width: 128, embed: 128, buckets: 4096 }),
  sized('gru', { batch: 16, length: 24, width: 32, embed: 24, buckets: 1024 }),
  sized('gru', { batch: 64, length: 72, width: 64, embed: 48, buckets: 4096 }),
  sized('gru', { batch: 128, length: 72, width: 128, embed: 48, buckets: 4096 }),
  sized('transformer', { batch: 16, length: 24, width: 32, layers: 1, embed: 24, buckets: 1024 }),
  sized('transformer', { batch: 64, length: 48, width: 128, layers: 2, embed: 48, buckets: 4096 }),
  sized('transformer', { batch: 128, length: 72, width: 128, layers: 2, embed: 48, buckets: 4096 }),
];

/** Name of a case in messages. */
export function caseName({ policy, size }: ComputeCase): string {
  return `${policy} ${size}`;
}
