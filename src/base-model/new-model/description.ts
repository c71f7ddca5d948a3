/** What a new model is made of. */
export interface NewModel {
  layers: number;
  width: number;
  heads: number;
  feedForward: number;
  contextLength: number;
  /** Tokens at most: those that end and begin messages, 256 bytes, and what is learned from `text`. */
  vocabulary: number;
  /** Like what the model will read and write. */
  text: string;
  seed: number;
}

/** What messages call such a model in place of its path. */
export const NEW_MODEL_PATH = 'policy.new';
