import { createHash } from 'node:crypto';
import { sha256 } from '../artifacts/digest.ts';
import { MillraceError } from '../errors.ts';
import type { ChatTemplate } from './chat/template.ts';
import { layoutOf, type ModelConfig } from './config.ts';
import { HashCache, type TensorHash } from './hash-cache.ts';
import type { TextTokenizer, TokenizerJson } from './tokenizer.ts';

/** A language model with frozen weights, open for reading. */
export interface BaseModel {
  /** Where it was opened. */
  readonly path: string;
  readonly config: ModelConfig;
  readonly tokenizer: TextTokenizer;
  /** Undefined when the model has none: it was not trained on conversations. */
  readonly chatTemplate: ChatTemplate | undefined;
  /** Tokens after which an answer is over. */
  readonly stopTokens: readonly number[];
  /**
   * Numbers of a tensor of {@link layoutOf}, as float32 in the layout of Hugging Face. `data_loss` when they are damaged;
   * `invalid_argument` for a name that the model has not.
   */
  readTensor(name: string): Promise<Float32Array>;
  /**
   * SHA-256, in hexadecimal, of everything that decides what the model says: configuration, numbers of all tensors as float32, tokenizer,
   * chat template. Shards and the type that numbers are stored in do not count. Reads all weights when it is first called, unless this account
   * has read the same files before.
   */
  digest(): Promise<string>;
  close(): Promise<void>;
}

/** What a {@link BaseModel} is made of, whatever file it comes from. */
export interface ModelParts {
  path: string;
  config: ModelConfig;
  tokenizer: TextTokenizer;
  tokenizerJson: TokenizerJson;
  chatTemplate: ChatTemplate | undefined;
  /** Source of the chat template; empty without one. */
  templateSource: string;
  stopTokens: readonly number[];
  /** Numbers of a tensor that the model has. */
  read(name: string): Promise<Float32Array>;
  /** The files that these numbers come from. Default: none, they are made. */
  weightFiles?: readonly string[];
  close(): Promise<void>;
}

/** Version of what is hashed. */
const DIGEST_FORMAT = 'millrace-base-model-1';

/** A model of its parts. */
export function baseModel(parts: ModelParts): BaseModel {
  const { path, config, tokenizer, chatTemplate, stopTokens } = parts;
  const shapes = new Map(layoutOf(config).map(({ name, shape }) => [name, shape]));
  const readTensor = async (name: string): Promise<Float32Array> => {
    if (!shapes.has(name)) throw new MillraceError('invalid_argument', `${path} has no tensor ${name}`);
    const values = await parts.read(name);
    if (!areFinite(values)) throw new MillraceError('data_loss', `${path}: tensor ${name} has numbers that are not finite`);
    return values;
  };
  let digest: Promise<string> | undefined;
  const hashes = async (): Promise<TensorHash[]> => {
    const made: TensorHash[] = [];
    for (const name of shapes.keys()) made.push([name, hashOf(await readTensor(name))]);
    return made;
  };
  const compute = async (): Promise<string> => {
    const { weightFiles } = parts;
    const found = await (weightFiles === undefined ? hashes() : new HashCache().hashes(weightFiles, [...shapes.keys()], hashes));
    const tensors = found.map(([name, hash]) => [name, shapes.get(name), hash]);
    const text = canonical({ tokenizer: parts.tokenizerJson, template: parts.templateSource });
    return sha256(
      Buffer.from(canonical({ format: DIGEST_FORMAT, config, stopTokens, tensors, text: sha256(Buffer.from(text)) })),
    );
  };
  return {
    ...{ path, config, tokenizer, chatTemplate, stopTokens, readTensor },
    close: () => parts.close(),
    digest() {
      digest ??= compute();
      digest.catch(() => (digest = undefined));
      return digest;
    },
  };
}

/** Sums zeros: an infinity or NaN makes one of them NaN. A callback for each of a hundred million numbers takes seconds. */
function areFinite(values: Float32Array): boolean {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * 0;
  return sum === 0;
}

function hashOf(values: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
}

/** JSON with sorted keys: the same for the same value, whoever wrote the file. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, each: unknown) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
