import type { AdamWState } from '../algo/optim/adamw.ts';
import type { Parameters } from '../policy/policy.ts';
import type { PolicySpec } from '../policy/kind.ts';
import type { TrainingState } from './training-state.ts';

/**
 * Everything needed to run a policy or go on training it. Its files are
 * `manifest.json` (format, specification, meta, SHA-256 of the other files), `model.safetensors` (the weights to use, by name) and,
 * where there is one, `trained.safetensors` (the weights that training goes on from, where the ones to use are an average),
 * `optimizer.safetensors` (AdamW moments as `m.<name>` and `v.<name>`), `exploration.json` and `training.json`. They are kept as
 * artifacts: the digest of the manifest names the checkpoint. On one machine there is a folder of them as well, which is whole without the artifacts.
 */
export interface Checkpoint {
  spec: PolicySpec;
  /** The weights to use: with averaging the average. */
  parameters: Parameters;
  /** The weights that training goes on from, where they are not `parameters`. */
  trained?: Float32Array;
  optimizer?: Readonly<AdamWState>;
  /** What exploration knew (src/explore/state.ts), as it travels with the weights. */
  exploration?: Uint8Array;
  /** How far training was; absent where only weights were kept. */
  training?: TrainingState;
  /** Weights that a KL penalty holds on to, where they are neither these nor the first ones. */
  reference?: Float32Array;
  /** Whatever JSON can hold: job, version, how good it is. */
  meta: Record<string, unknown>;
}

export const MANIFEST = 'manifest.json';
export const MODEL = 'model.safetensors';
export const TRAINED = 'trained.safetensors';
export const OPTIMIZER = 'optimizer.safetensors';
export const EXPLORATION = 'exploration.json';
export const REFERENCE = 'reference.safetensors';
export const TRAINING = 'training.json';

/** Version of the folder's layout. */
export const FORMAT = 1;

/** A checkpoint that was written. */
export interface SavedCheckpoint {
  /** SHA-256 of its manifest, which names every other file by its own. */
  digest: string;
  /** Bytes of all its files. */
  bytes: number;
}

/** `manifest.json`. */
export interface CheckpointManifest {
  format: number;
  spec: PolicySpec;
  meta: Record<string, unknown>;
  /** AdamW steps taken; only with an optimiser. */
  optimizerStep?: number;
  /** SHA-256 in hex by file name. */
  files: Record<string, string>;
}
