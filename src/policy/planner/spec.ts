/** Shape of a planner policy. Travels with every checkpoint and to every learner: nothing else is needed to rebuild it. */
export interface PlannerSpec {
  kind: 'planner';
  /** The tools the planner chooses among, in this order, with the number of item pointers each takes. */
  tools: { name: string; arity: 0 | 1 | 2 }[];
  /** Number of features of each kind. */
  features: { state: number; item: number; action: number };
  text: {
    /** Token ids are hashed into this many rows; row 0 is padding. */
    buckets: number;
    /** Width of a token embedding. */
    embed: number;
    /** bag: mean of embeddings; gru: one-layer bidirectional GRU; transformer: pre-norm encoder. */
    encoder: 'bag' | 'gru' | 'transformer';
    /** Width of the encoder's output (gru: both directions together; bag: equals embed). */
    width: number;
    /** Transformer layers. */
    layers: number;
    /** Tokens kept of a text. */
    maxLength: number;
  };
  /** Width of the hidden layers. */
  hidden: number;
  /** Seed of the initial weights. */
  seed: number;
  /** The network also estimates the value of a state, for methods with a critic. Default: it does not. */
  value?: boolean;
}
