/**
 * What the environment and the trainer beside it say to each other over the environment's stdin and stdout.
 *
 * Every message is a frame: its length in bytes, then that many bytes. The first one to the trainer is JSON (`Hello`), the
 * second one the initial weights. After that the trainer asks with int32 words, and each answer is a list of arrays of 4-byte
 * numbers: how many there are, how long each is, then their values, in the order of `STANDING` or `LEARNABLE`. Integers and
 * floats are little-endian; nothing has to be parsed on either side.
 */
import { MillraceError } from '../../src/errors.ts';
import type { JobConfig } from '../../src/config/job.ts';
import type { FlatBatch } from '../../src/policy/planner/flatten.ts';
import type { Parameters } from '../../src/policy/policy.ts';
import type { PlannerSpec } from '../../src/policy/planner/spec.ts';
import type { Learnable, NumberedBatch, RoundRequest, Standing } from './environment.ts';

/** What the trainer must know before it starts. */
export interface Hello {
  spec: PlannerSpec;
  job: Pick<JobConfig, 'seed' | 'rounds' | 'rollout' | 'algorithm' | 'optimizer' | 'evaluation'>;
  tasks: { train: number; heldOut: number };
  /** Names and shapes of the weights that follow. */
  tensors: Parameters['tensors'];
  /** Names and element types of the arrays of each kind of answer. */
  answers: { standing: readonly Field[]; learnable: readonly Field[] };
}

/** What of a job's configuration a trainer must know. */
export function jobOf({ seed, rounds, rollout, algorithm, optimizer, evaluation }: JobConfig): Hello['job'] {
  return { seed, rounds, rollout, algorithm, optimizer, evaluation };
}

type Field = readonly [name: string, type: 'int32' | 'float32'];

/** Observations side by side; see `FlatBatch`. Texts are numbered over the round. */
const BATCH = [
  ['newTokens', 'int32'],
  ['newTextLengths', 'int32'],
  ['observationText', 'int32'],
  ['state', 'float32'],
  ['itemObservation', 'int32'],
  ['itemText', 'int32'],
  ['itemFlags', 'float32'],
  ['itemShare', 'float32'],
  ['tuples0', 'int32'],
  ['tuples1', 'int32'],
  ['tuples1item0', 'int32'],
  ['tuples2', 'int32'],
  ['tuples2item0', 'int32'],
  ['tuples2item1', 'int32'],
  ['actionStart', 'int32'],
  ['actionScore', 'int32'],
] as const satisfies readonly Field[];

/** Answer to `reset` and `step`. */
export const STANDING = [
  ['flows', 'int32'],
  ['rows', 'int32'],
  ['ended', 'int32'],
  ['rewards', 'float32'],
  ['successes', 'int32'],
  ...BATCH,
] as const satisfies readonly Field[];

/** Answer to `learn`. */
export const LEARNABLE = [['lengths', 'int32'], ['observations', 'int32'], ...BATCH] as const satisfies readonly Field[];

/** First word of a request. */
export const OPERATIONS = { train: 1, evaluate: 2, step: 3, learn: 4 } as const;

/** What the trainer asks for. */
export type Request =
  ({ kind: 'reset' } & RoundRequest) | { kind: 'step'; actions: Int32Array } | { kind: 'learn'; flows: Int32Array };

/** Reads a request: an operation; for new flows then the group size; then tasks, actions or flows. */
export function readRequest(payload: Uint8Array): Request {
  // A copy: what arrives need not lie at a multiple of 4.
  const words = new Int32Array(new Uint8Array(payload).buffer, 0, payload.length >> 2);
  const [operation = 0, groupSize = 0] = words;
  switch (operation) {
    case OPERATIONS.train:
    case OPERATIONS.evaluate:
      return {
        kind: 'reset',
        purpose: operation === OPERATIONS.train ? 'train' : 'evaluate',
        groupSize,
        tasks: [...words.subarray(2)],
      };
    case OPERATIONS.step:
      return { kind: 'step', actions: words.subarray(1) };
    case OPERATIONS.learn:
      return { kind: 'learn', flows: words.subarray(1) };
    default:
      throw new MillraceError('invalid_argument', `there is no operation ${operation}`);
  }
}

/** Arrays in the order of `STANDING`, as the payload of a frame. */
export function writeStanding({ flows, rows, ended, fresh }: Standing): Uint8Array {
  return writeArrays([
    flows,
    rows,
    Int32Array.from(ended, ({ flow }) => flow),
    Float32Array.from(ended, ({ reward }) => reward),
    Int32Array.from(ended, ({ success }) => Number(success)),
    ...batchArrays(fresh),
  ]);
}

/** Arrays in the order of `LEARNABLE`, as the payload of a frame. */
export function writeLearnable({ lengths, observations, batch }: Learnable): Uint8Array {
  return writeArrays([lengths, observations, ...batchArrays(batch)]);
}

function batchArrays({ flat, itemText, observationText, newTexts }: NumberedBatch): (Int32Array | Float32Array)[] {
  checkPlain(flat);
  const [none, one, two] = flat.tuples;
  return [
    Int32Array.from(newTexts.flatMap((text) => [...text])),
    Int32Array.from(newTexts, (text) => text.length),
    observationText,
    flat.state,
    flat.itemObservation,
    itemText,
    flat.itemFlags,
    flat.itemShare,
    none.observation,
    one.observation,
    one.args[0]!,
    two.observation,
    two.args[0]!,
    two.args[1]!,
    flat.actionStart,
    flat.actionScore,
  ];
}

/** The peer leaves out what no flow of this benchmark has. */
function checkPlain(flat: FlatBatch): void {
  if (flat.rows.length > 0 || flat.itemAt.some((position) => position >= 0))
    throw new MillraceError('unimplemented', 'the peer knows neither action features nor items that stand in a text');
}

function writeArrays(arrays: readonly (Int32Array | Float32Array)[]): Uint8Array {
  const words = new Int32Array(1 + arrays.length + arrays.reduce((sum, array) => sum + array.length, 0));
  words[0] = arrays.length;
  let at = 1 + arrays.length;
  arrays.forEach((array, index) => {
    words[1 + index] = array.length;
    words.set(new Int32Array(array.buffer, array.byteOffset, array.length), at);
    at += array.length;
  });
  return new Uint8Array(words.buffer);
}

/** A frame around a payload. */
export function frame(payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + payload.length);
  new DataView(bytes.buffer).setUint32(0, payload.length, true);
  bytes.set(payload, 4);
  return bytes;
}

/** Cuts a stream of bytes into the payloads of its frames. */
export class FrameReader {
  #held = Buffer.alloc(0);

  /** Takes what has arrived; returns the payloads that are now complete. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#held = this.#held.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#held, chunk]);
    const payloads: Uint8Array[] = [];
    let at = 0;
    while (this.#held.length - at >= 4) {
      const length = this.#held.readUInt32LE(at);
      if (this.#held.length - at - 4 < length) break;
      payloads.push(this.#held.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#held = this.#held.subarray(at);
    return payloads;
  }
}
