/** How a method is run in the comparison. */
export interface MethodSetting {
  /** What differs from the method's own defaults in the `algorithm:` block; the entropy bonus is the example's. */
  algorithm?: Readonly<Record<string, unknown>>;
  /** Overrides of the rest of the job, e.g. a learning rate. */
  overrides?: readonly string[];
}

/** The methods in the order of docs/algorithms.md. A method that is missing here runs with its defaults. */
export const SETTINGS: Readonly<Record<string, MethodSetting>> = {
  grpo: { algorithm: { epochs: 2, miniBatches: 2 } },
  'dr-grpo': { algorithm: { epochs: 2, miniBatches: 2, constantLength: 16 } },
  rloo: { algorithm: { epochs: 2, miniBatches: 2 } },
  'reinforce-plus-plus': { algorithm: { epochs: 2, miniBatches: 2 } },
  'reinforce-plus-plus-baseline': { algorithm: { epochs: 2, miniBatches: 2 } },
  ppo: { algorithm: { epochs: 2, miniBatches: 2 } },
  'decoupled-ppo': { algorithm: { epochs: 2, miniBatches: 2 } },
  vtrace: {},
  dapo: { algorithm: { epochs: 2, miniBatches: 2 } },
  gspo: { algorithm: { epochs: 2, miniBatches: 2 } },
  gvpo: {},
  'flow-grpo': { algorithm: { epochs: 2, miniBatches: 2 } },
};
