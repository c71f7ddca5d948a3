/** How a method is run in the comparison. */
export interface MethodSetting {
  /** What differs from the method's own defaults in the `algorithm:` block. */
  algorithm?: Readonly<Record<string, unknown>>;
  /** The example's entropy bonus is multiplied by this: some losses are smaller than others. Default 1. */
  entropyScale?: number;
  /** Further options where single steps have rewards. */
  withSteps?: Readonly<Record<string, unknown>>;
  /** Overrides of the rest of the job, e.g. a learning rate. */
  overrides?: readonly string[];
}

/** Four updates a round, for every method whose loss allows for a policy that has moved. */
const UPDATES = { epochs: 2, miniBatches: 2 };
/** Advantages that are not divided by a deviation are smaller: about 0.4 with outcomes of 0 and 1. */
const UNDIVIDED = 0.4;

/** Where single steps have rewards. */
const RETURN_TO_GO = { credit: { kind: 'return-to-go', gamma: 0.9 }, entropy: 0.15, miniBatches: 4 };
const UNDIVIDED_RETURNS = { ...RETURN_TO_GO, entropy: 0.06 };
const CRITIC = { value: { gamma: 0.95, lambda: 0.9 }, entropy: 0.05 };

/** By method; one that is missing here runs with its defaults. */
export const SETTINGS: Readonly<Record<string, MethodSetting>> = {
  grpo: { algorithm: UPDATES, withSteps: RETURN_TO_GO },
  'dr-grpo': {
    algorithm: { ...UPDATES, constantLength: 16 },
    entropyScale: UNDIVIDED,
    withSteps: UNDIVIDED_RETURNS,
  },
  rloo: { algorithm: UPDATES, entropyScale: UNDIVIDED, withSteps: UNDIVIDED_RETURNS },
  'reinforce-plus-plus': { algorithm: UPDATES },
  'reinforce-plus-plus-baseline': { algorithm: UPDATES },
  dapo: { algorithm: UPDATES, withSteps: RETURN_TO_GO },
  // The usual bounds are for language models, whose ratios are means over thousands of tokens.
  gspo: { algorithm: { ...UPDATES, clipLow: 0.03, clipHigh: 0.04 } },
  // With the usual 0.1 its gradient is small beside that of the entropy bonus.
  gvpo: { algorithm: { ...UPDATES, beta: 1 }, entropyScale: 0.5 },
  'flow-grpo': { algorithm: UPDATES },
  ppo: { algorithm: UPDATES, withSteps: CRITIC },
  'decoupled-ppo': { algorithm: UPDATES, withSteps: CRITIC },
  rejection: { algorithm: UPDATES },
  sft: { algorithm: UPDATES },
  vtrace: { algorithm: { miniBatches: 2, whiten: true }, withSteps: CRITIC },
};
