import type { AdamWState } from '../algo/optim/adamw.ts';
import type { Parameters } from '../policy/policy.ts';
import type { PolicySpec } from '../policy/kind.ts';

/**
 * Everything needed to run a policy or go on training it. On disk a folder:
 * `manifest.json` (format, specification, meta, SHA-256 of the other files), `model.safetensors` (weights by name) and,
 * where there is one, `optimizer.safetensors` (AdamW moments as `m.<name>` and `v.<name>`) and `exploration.json`. Their content is also kept as
 * artifacts under the digests in the manifest; the folder is whole without them.
 */
export interface Checkpoint {
  spec: PolicySpec;
  parameters: Parameters;
  optimizer?: Readonly<AdamWState>;
  /** What exploration knew (src/explore/state.ts), as it travels with the weights. */
  exploration?: Uint8Array;
  /** Whatever JSON can hold: job, version, how good it is. */
  meta: Record<string, unknown>;
}

export const MANIFEST = 'manifest.json';
export const MODEL = 'model.safetensors';
export const OPTIMIZER = 'optimizer.safetensors';
export const EXPLORATION = 'exploration.json';

/** Version of the folder's layout. */
export const FORMAT = 1;

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
