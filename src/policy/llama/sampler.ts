/** Writes texts token by token, several side by side. */
import * as tf from '@tensorflow/tfjs-core';
import { KeyValueCache } from '../../base-model/forward/cache.ts';
import { forward, logitsOf } from '../../base-model/forward/forward.ts';
import type { TrainableModel } from '../../base-model/training/trainable.ts';
import { nextTurn } from '../../clock/turn.ts';
import type { Random } from '../../random/random.ts';
import { seededRandom } from '../../random/seeded.ts';
import type { Generation } from '../decision.ts';

/** A text to write. */
export interface TextRequest {
  prompt: readonly number[];
  /** 0: the most likely token each time, with its log-probability at temperature 1. */
  temperature: number;
  /** uint32. */
  seed: number;
  /** Most tokens to write; at least 1. */
  maxTokens: number;
}

/** Tokens of prompts that are computed together. */
const PROMPT_ROWS = 512;

/** A text that is being written. */
interface Writing {
  request: TextRequest;
  cache: KeyValueCache;
  random: Random;
  tokens: number[];
  logProbabilities: number[];
  isOver: boolean;
}

/** Writes all texts; requests with the same prompt share its computation. Gives way between tokens: the weights must stay as they are until it is done. */
export async function writeTexts(
  model: TrainableModel,
  requests: readonly TextRequest[],
  stopTokens: readonly number[],
): Promise<Generation[]> {
  const writings: Writing[] = [];
  const prompts = new Map<string, { prompt: readonly number[]; cache: KeyValueCache; of: Writing[] }>();
  try {
    for (const request of requests) {
      const key = request.prompt.join();
      const known = prompts.get(key) ?? { prompt: request.prompt, cache: new KeyValueCache(model.weights.config), of: [] };
      prompts.set(key, known);
      const random = seededRandom(request.seed);
      const writing = { request, cache: known.cache, random, tokens: [], logProbabilities: [], isOver: false };
      known.of.push(writing);
      writings.push(writing);
    }
    await readPrompts(model, [...prompts.values()], stopTokens);
    for (let open = writings.filter(isOpen); open.length > 0; open = open.filter(isOpen)) {
      const rows = lastLogits(
        model,
        open.map(({ cache, tokens }) => ({ tokens: [tokens.at(-1)!], cache })),
      );
      open.forEach((writing, row) => append(writing, rows[row]!, stopTokens));
      await nextTurn();
    }
  } finally {
    for (const { cache } of writings) cache.dispose();
    for (const { cache } of prompts.values()) cache.dispose();
  }
  return writings.map(({ tokens, logProbabilities, isOver }) => ({
    tokens,
    logProbabilities,
    finish: isOver ? 'stop' : 'length',
  }));
}

const isOpen = ({ isOver, tokens, request }: Writing): boolean => !isOver && tokens.length < request.maxTokens;

/** Computes each prompt once, and draws the first token of each text; texts go on from caches of their own. */
async function readPrompts(
  model: TrainableModel,
  prompts: readonly { prompt: readonly number[]; cache: KeyValueCache; of: Writing[] }[],
  stopTokens: readonly number[],
): Promise<void> {
  for (let start = 0; start < prompts.length;) {
    let [end, rows] = [start, 0];
    do rows += prompts[end++]!.prompt.length;
    while (end < prompts.length && rows + prompts[end]!.prompt.length <= PROMPT_ROWS);
    const part = prompts.slice(start, end);
    const logits = lastLogits(
      model,
      part.map(({ prompt, cache }) => ({ tokens: prompt, cache })),
    );
    part.forEach(({ of, cache }, row) => {
      of.forEach((writing, index) => {
        if (index > 0) writing.cache = cache.fork();
        append(writing, logits[row]!, stopTokens);
      });
    });
    start = end;
    await nextTurn();
  }
}

/** Logits after the last token of each sequence. */
function lastLogits(
  { weights, adapter }: TrainableModel,
  sequences: readonly { tokens: readonly number[]; cache: KeyValueCache }[],
): Float32Array[] {
  let row = -1;
  const last = sequences.map(({ tokens }) => (row += tokens.length));
  return tf.tidy(() => {
    const hidden = forward(
      weights,
      sequences.map((sequence) => ({ ...sequence, ...(adapter && { adapter }) })),
    );
    const rows = logitsOf(weights, tf.gather(hidden, tf.tensor1d(last, 'int32')));
    const values = rows.dataSync() as Float32Array;
    const width = rows.shape[1];
    return last.map((_, index) => values.slice(index * width, (index + 1) * width));
  });
}

/** Draws the next token of a text. */
function append(writing: Writing, logits: Float32Array, stopTokens: readonly number[]): void {
  const { request, random, tokens, logProbabilities } = writing;
  const { token, logProbability } = draw(logits, request.temperature, request.temperature === 0 ? undefined : random.uniform());
  tokens.push(token);
  logProbabilities.push(logProbability);
  writing.isOver = stopTokens.includes(token);
}

/** @param uniform - in [0, 1); undefined: the most likely token */
function draw(logits: Float32Array, temperature: number, uniform: number | undefined): { token: number; logProbability: number } {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  const scale = 1 / (temperature || 1);
  const most = logits[best]!;
  let total = 0;
  for (const logit of logits) total += Math.exp((logit - most) * scale);
  const logOf = (token: number): number => (logits[token]! - most) * scale - Math.log(total);
  if (uniform === undefined) return { token: best, logProbability: logOf(best) };
  let left = uniform * total;
  for (let token = 0; token < logits.length; token++) {
    left -= Math.exp((logits[token]! - most) * scale);
    if (left < 0) return { token, logProbability: logOf(token) };
  }
  // What is left is rounding.
  return { token: best, logProbability: logOf(best) };
}
