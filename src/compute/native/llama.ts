/** The compiled pass of a language model: all layers in one call, over weights that were packed once. */
import * as tf from '@tensorflow/tfjs-core';
import { offset, type WasmBackend } from '../kernels/heap.ts';
import { addon, type NativeAddon } from './addon.ts';

/** Tokens of a page of keys and values. */
export const PAGE_TOKENS = 16;

/** Sizes of a model, in the order in which the kernel takes them. */
export interface LlamaSizes {
  layers: number;
  width: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  feedForward: number;
  vocabulary: number;
  /** Whether q, k and v have a bias; o; whether queries and keys are normalised. */
  qkvBias: boolean;
  oBias: boolean;
  headNorms: boolean;
}

/** An adapter, packed. */
export interface PackedAdapter {
  rank: number;
  /** A bit for each of q, k, v, o, gate, up, down that it changes. */
  targets: number;
  numbers: Float32Array;
}

/** New tokens of one text. */
export interface LlamaPart {
  tokens: readonly number[];
  /** Tokens before them. */
  start: number;
  /** Keys and values of {@link PAGE_TOKENS} tokens each, as many as all tokens take; those of the new ones are written. */
  pages: readonly Float32Array[];
  adapter: PackedAdapter | undefined;
  /** For how many of the last tokens the logits after them are wanted. */
  wanted: number;
}

/** Weights that were packed for the kernel. */
export interface CompiledLlama {
  /** Numbers of a page. */
  readonly pageSize: number;
  /** @param pairs - A [rank, in] and B [out, rank] of every changed product, layer after layer. @param scale - alpha / rank */
  packAdapter(shape: { rank: number; targets: number; scale: number }, pairs: readonly tf.Tensor[]): PackedAdapter;
  /** Logits that are wanted, [rows, vocabulary], part after part. Parts with the same adapter should follow one another. */
  run(parts: readonly LlamaPart[]): Float32Array;
}

/** What the kernel needs of a model. */
export interface LlamaParameters {
  sizes: LlamaSizes;
  epsilon: number;
  /** Angles of a position, `headSize / 2` of them. */
  frequencies: Float64Array;
  /** [vocabulary, width]; must stay as long as the model is used. */
  embedding: tf.Tensor;
  /**
   * Of each layer, [out, in]: norm, q, k, v, their biases, o, its bias, norms of queries and keys, norm of the feed-forward layers, gate, up, down; then
   * the last norm and the head. Absent ones are undefined.
   */
  tensors: readonly (tf.Tensor | undefined)[];
}

/** Packs weights; undefined where the current backend is not `native`, or the kernels were built before this one was written. */
export function compileLlama({ sizes, epsilon, frequencies, embedding, tensors }: LlamaParameters): CompiledLlama | undefined {
  const native = addon() as Partial<NativeAddon> | undefined;
  if (tf.getBackend() !== 'native' || !hasKernels(native)) return undefined;
  const wasm = tf.backend() as unknown as WasmBackend;
  const heap = (): Uint8Array => wasm.wasm.HEAPU8;
  const place = (tensor: tf.Tensor | undefined): number => (tensor === undefined ? -1 : offset(wasm, tensor));
  const shape = Int32Array.from(Object.values(inOrder(sizes)), Number);
  const counts = new Float64Array(2);
  native.llamaSizes(heap(), shape, counts);
  const packed = new Float32Array(counts[0]!);
  native.llamaPack(heap(), shape, Float64Array.from(tensors, place), packed);
  return {
    pageSize: counts[1]!,
    packAdapter({ rank, targets, scale }, pairs) {
      const size = new Float64Array(1);
      native.llamaAdapterSize(heap(), shape, rank, targets, size);
      const numbers = new Float32Array(size[0]!);
      native.llamaPackAdapter(heap(), shape, rank, targets, scale, Float64Array.from(pairs, place), numbers);
      return { rank, targets, numbers };
    },
    run(parts) {
      const adapters = [...new Set(parts.flatMap(({ adapter }) => adapter ?? []))];
      const pages: Float32Array[] = [];
      const described = parts.flatMap(({ tokens, start, pages: own, adapter, wanted }) => {
        const first = pages.length;
        pages.push(...own);
        return [tokens.length, start, first, adapter ? adapters.indexOf(adapter) : -1, wanted];
      });
      const out = new Float32Array(parts.reduce((rows, { wanted }) => rows + wanted, 0) * sizes.vocabulary);
      native.llama(
        ...([heap(), shape, epsilon, frequencies, packed, place(embedding), parts.length, Int32Array.from(described)] as const),
        Int32Array.from(parts.flatMap(({ tokens }) => tokens)),
        pages,
        adapters.map(({ numbers }) => numbers),
        Int32Array.from(adapters.flatMap(({ rank, targets }) => [rank, targets])),
        out,
      );
      return out;
    },
  };
}

function inOrder(sizes: LlamaSizes): LlamaSizes {
  const { layers, width, heads, kvHeads, headSize, feedForward, vocabulary, qkvBias, oBias, headNorms } = sizes;
  return { layers, width, heads, kvHeads, headSize, feedForward, vocabulary, qkvBias, oBias, headNorms };
}

const KERNELS = ['llama', 'llamaSizes', 'llamaPack', 'llamaAdapterSize', 'llamaPackAdapter'] as const;

function hasKernels(native: Partial<NativeAddon> | undefined): native is Pick<NativeAddon, (typeof KERNELS)[number]> {
  return native !== undefined && KERNELS.every((name) => name in native);
}
