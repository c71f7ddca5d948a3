/** LoRA (Hu et al., arXiv 2106.09685): small trainable products beside the frozen ones of a model. */
import { seededRandom } from '../../random/seeded.ts';
import { layerTensor, type ModelConfig, type ModelTensor } from '../config.ts';

/** Products of a layer that an adapter can change. */
export const PROJECTIONS = ['q', 'k', 'v', 'o', 'gate', 'up', 'down'] as const;
/** One of {@link PROJECTIONS}. */
export type Projection = (typeof PROJECTIONS)[number];

/** What an adapter consists of. A product with one gives `Wx + (alpha / rank) B(Ax)`. */
export interface AdapterShape {
  /** Rows of A and columns of B; at least 1. */
  rank: number;
  /** > 0. */
  alpha: number;
  /** Products that it changes, the same in every layer. */
  targets: readonly Projection[];
}

/** What files call a product within its layer, e.g. `self_attn.q_proj`. */
export function moduleName(projection: Projection): string {
  const part = projection === 'gate' || projection === 'up' || projection === 'down' ? 'mlp' : 'self_attn';
  return `${part}.${projection}_proj`;
}

/** Width of what goes into a product, and of what comes out. */
function projectionSize(config: ModelConfig, projection: Projection): { input: number; output: number } {
  const { width, heads, kvHeads, headSize, feedForward } = config;
  switch (projection) {
    case 'q':
      return { input: width, output: heads * headSize };
    case 'k':
    case 'v':
      return { input: width, output: kvHeads * headSize };
    case 'o':
      return { input: heads * headSize, output: width };
    case 'gate':
    case 'up':
      return { input: width, output: feedForward };
    case 'down':
      return { input: feedForward, output: width };
  }
}

/** Names of an adapter's two matrices for a product: A [rank, in] and B [out, rank]. */
export function adapterNames(layer: number, projection: Projection): { a: string; b: string } {
  const name = (matrix: string): string => layerTensor(layer, `${moduleName(projection)}.lora_${matrix}.weight`);
  return { a: name('A'), b: name('B') };
}

/** All tensors of an adapter: layer after layer, products in the order of {@link PROJECTIONS}, A before B. */
export function adapterTensors(config: ModelConfig, { rank, targets }: AdapterShape): ModelTensor[] {
  const changed = PROJECTIONS.filter((projection) => targets.includes(projection));
  return Array.from({ length: config.layers }, (_, layer) =>
    changed.flatMap((projection) => {
      const { a, b } = adapterNames(layer, projection);
      const { input, output } = projectionSize(config, projection);
      return [
        { name: a, shape: [rank, input] },
        { name: b, shape: [output, rank] },
      ];
    }),
  ).flat();
}

/**
 * Numbers of an adapter that changes nothing yet, tensor after tensor of {@link adapterTensors}: A uniform in ±1/√in, as PEFT draws it
 * (`kaiming_uniform_` with a = √5), B zero. The same for the same seed, everywhere.
 */
export function initialAdapter(config: ModelConfig, shape: AdapterShape, seed: number): Float32Array {
  const tensors = adapterTensors(config, shape);
  const values = new Float32Array(tensors.reduce((sum, { shape: [rows, columns] }) => sum + rows! * columns!, 0));
  const random = seededRandom(seed);
  let offset = 0;
  tensors.forEach(({ name, shape: [rows, columns] }, index) => {
    const size = rows! * columns!;
    if (index % 2 === 0) {
      const draws = random.fork(name);
      const bound = 1 / Math.sqrt(columns!);
      for (let i = 0; i < size; i++) values[offset + i] = bound * (2 * draws.uniform() - 1);
    }
    offset += size;
  });
  return values;
}
