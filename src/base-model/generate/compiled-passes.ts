/** Passes of the compiled kernel: one call for all layers, keys and values in pages that texts with the same beginning share. */
import type * as tf from '@tensorflow/tfjs-core';
import { compileLlama, PAGE_TOKENS, type CompiledLlama, type PackedAdapter } from '../../compute/native/llama.ts';
import { PROJECTIONS } from '../adapter/shape.ts';
import type { Adapter } from '../forward/adapter.ts';
import { rotaryFrequencies } from '../forward/rotary.ts';
import type { LayerWeights, ModelWeights } from '../forward/weights.ts';
import type { Passes, TextMemory } from './passes.ts';

/** Packed once for all engines of the same weights. */
const compiled = new WeakMap<ModelWeights, CompiledLlama>();

/** Products of so many columns are computed in full tiles, whose sums are the same for any number of rows; narrower tiles may add up differently. */
const FULL_TILE = 32;

/**
 * Passes of the compiled kernel, which take the memory of the weights a second time; undefined where the backend has none, or where sums over a row have
 * to be independent of other rows and the model's sizes do not allow it.
 */
export function compiledPasses(weights: ModelWeights, { deterministic }: { deterministic: boolean }): Passes | undefined {
  if (deterministic && !hasFullTiles(weights)) return undefined;
  const llama = compiled.get(weights) ?? compile(weights);
  if (llama === undefined) return undefined;
  compiled.set(weights, llama);
  const adapters = new WeakMap<Adapter, PackedAdapter>();
  const packedOf = (adapter: Adapter): PackedAdapter | undefined => {
    let packed = adapters.get(adapter);
    if (packed === undefined) {
      packed = pack(llama, adapter);
      if (packed !== undefined) adapters.set(adapter, packed);
    }
    return packed;
  };
  return {
    bytesPerToken: (4 * llama.pageSize) / PAGE_TOKENS,
    open: () => new PagedMemory(llama.pageSize),
    run(parts) {
      const logits = llama.run(
        parts.map(({ memory, tokens, adapter, wanted }) => ({
          ...{ tokens, start: memory.length, wanted },
          pages: (memory as PagedMemory).pagesFor(memory.length + tokens.length),
          adapter: adapter && packedOf(adapter),
        })),
      );
      for (const { memory, tokens } of parts) (memory as PagedMemory).commit(tokens.length);
      const { vocabulary } = weights.config;
      return Array.from({ length: logits.length / vocabulary }, (_, row) =>
        logits.subarray(row * vocabulary, (row + 1) * vocabulary),
      );
    },
  };
}

function hasFullTiles({ config: { width, heads, kvHeads, headSize, feedForward, vocabulary } }: ModelWeights): boolean {
  return [width, (heads + 2 * kvHeads) * headSize, 2 * feedForward, vocabulary].every((columns) => columns % FULL_TILE === 0);
}

/** Keys and values in pages. Full pages do not change and are shared; the last one is a text's own. */
class PagedMemory implements TextMemory {
  readonly #pageSize: number;
  #pages: Float32Array[] = [];
  #length = 0;

  constructor(pageSize: number) {
    this.#pageSize = pageSize;
  }

  get length(): number {
    return this.#length;
  }

  /** Pages of the first tokens, new ones made where they are missing. */
  pagesFor(tokens: number): readonly Float32Array[] {
    const count = Math.ceil(tokens / PAGE_TOKENS);
    while (this.#pages.length < count) this.#pages.push(new Float32Array(this.#pageSize));
    return this.#pages.slice(0, count);
  }

  commit(tokens: number): void {
    this.#length += tokens;
  }

  fork(length: number): PagedMemory {
    const copy = new PagedMemory(this.#pageSize);
    copy.#pages = this.#pages.slice(0, Math.ceil(length / PAGE_TOKENS));
    if (length % PAGE_TOKENS !== 0) copy.#pages.push(copy.#pages.pop()!.slice());
    copy.#length = length;
    return copy;
  }

  dispose(): void {
    this.#pages = [];
    this.#length = 0;
  }
}

function compile(weights: ModelWeights): CompiledLlama | undefined {
  const { config, embedding, layers, norm, head } = weights;
  return compileLlama({
    sizes: { ...config, qkvBias: config.attentionBias !== 'none', oBias: config.attentionBias === 'qkvo' },
    epsilon: config.normEpsilon,
    frequencies: rotaryFrequencies(config),
    embedding,
    tensors: [...layers.flatMap(tensorsOf), norm, head],
  });
}

function tensorsOf({
  attentionNorm,
  q,
  k,
  v,
  o,
  qNorm,
  kNorm,
  feedForwardNorm,
  gate,
  up,
  down,
}: LayerWeights): (tf.Tensor | undefined)[] {
  return [
    ...[attentionNorm, q.weight, k.weight, v.weight, q.bias, k.bias, v.bias, o.weight, o.bias],
    ...[qNorm, kNorm, feedForwardNorm, gate, up, down],
  ];
}

function pack(llama: CompiledLlama, { layers, tensors }: Adapter): PackedAdapter | undefined {
  const first = layers[0]!;
  const targets = PROJECTIONS.reduce((bits, projection, bit) => bits | (first[projection] ? 1 << bit : 0), 0);
  const lora = PROJECTIONS.map((projection) => first[projection]).find((each) => each !== undefined);
  if (lora === undefined) return undefined;
  return llama.packAdapter({ rank: lora.a.shape[0], targets, scale: lora.scale }, tensors);
}
