/**
 * Canonical byte encoding of an observation: equal situations are equal bytes.
 *
 * Layout (integers as unsigned LEB128, indices that may be -1 shifted by one): version, text + 1, state flags; number of
 * items, each text + 1, at + 1, flags; number of actions, each tool, args, flags. A flag is one byte, 0 for 0 and 1 for 1,
 * or 2 followed by a little-endian float32. Counts of flags and arguments come from the policy's specification.
 */
import { MillraceError } from '../../errors.ts';
import type { Observation } from './observation.ts';
import type { PlannerSpec } from './spec.ts';

const VERSION = 1;
const FLOAT = 2;
const scratch = new DataView(new ArrayBuffer(4));

/**
 * Encodes an observation. `invalid_argument` (with the field) when it does not fit the specification: wrong numbers of
 * flags or arguments, an unknown tool, an index out of range, a flag that is not finite, no action.
 */
export function encodeObservation(observation: Observation, spec: PlannerSpec): Uint8Array {
  write(observation, spec);
  return writer.finish();
}

/** The bytes of {@link encodeObservation} as a text of as many characters, to look observations up by. */
export function observationKey(observation: Observation, spec: PlannerSpec): string {
  write(observation, spec);
  return writer.text();
}

/** Encodes into `writer`. Runs for every decision: paths of fields are put together only when something is wrong. */
function write({ text, flags, items, actions }: Observation, spec: PlannerSpec): void {
  const { features, tools } = spec;
  writer.start();
  writer.byte(VERSION);
  writer.index(text, '', -1, 'text');
  writer.flags(flags, features.state, '', -1);
  writer.integer(items.length);
  for (let i = 0; i < items.length; i++) {
    const item = items[i]!;
    writer.index(item.text, 'items', i, 'text');
    writer.index(item.at, 'items', i, 'at');
    writer.flags(item.flags, features.item, 'items', i);
  }
  if (actions.length === 0) throw invalid('actions', 'an observation needs at least one open action');
  writer.integer(actions.length);
  for (let i = 0; i < actions.length; i++) {
    const { tool: index, args, flags: ofAction } = actions[i]!;
    const tool = tools[index];
    if (!tool) throw invalid(`actions[${i}].tool`, `no tool has index ${index}; the policy has ${tools.length}`);
    if (args.length !== tool.arity) {
      throw invalid(`actions[${i}].args`, `${tool.name} takes ${tool.arity} item(s), got ${args.length}`);
    }
    writer.integer(index);
    for (let k = 0; k < args.length; k++) {
      const arg = args[k]!;
      if (!Number.isInteger(arg) || arg < 0 || arg >= items.length) {
        throw invalid(`actions[${i}].args`, `there is no item ${arg}; the observation has ${items.length}`);
      }
      writer.integer(arg);
    }
    writer.flags(ofAction, features.action, 'actions', i);
  }
}

/** Visits the parts of an encoded observation in order; flags are written into the arrays given. */
export class ObservationReader {
  private position = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.byte() !== VERSION) throw corrupt(`unknown version ${bytes[0]}`);
  }

  /** Offset of the next byte. */
  get offset(): number {
    return this.position;
  }

  byte(): number {
    const byte = this.bytes[this.position++];
    if (byte === undefined) throw corrupt('it ends early');
    return byte;
  }

  integer(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
      if (scale > 2 ** 28) throw corrupt('an integer is too long');
    }
  }

  /** An index that may be -1. */
  index(): number {
    return this.integer() - 1;
  }

  flags(into: Float32Array, at: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const byte = this.byte();
      if (byte === FLOAT) {
        if (this.position + 4 > this.bytes.length) throw corrupt('it ends early');
        into[at + i] = this.view.getFloat32(this.position, true);
        this.position += 4;
      } else if (byte < FLOAT) {
        into[at + i] = byte;
      } else {
        throw corrupt(`a flag starts with byte ${byte}`);
      }
    }
  }

  end(): void {
    if (this.position !== this.bytes.length) throw corrupt(`${this.bytes.length - this.position} bytes are left over`);
  }
}

/** Decodes an observation back into objects, for people and tests; the network reads it with src/policy/planner/decode.ts. */
export function decodeObservation(bytes: Uint8Array, spec: PlannerSpec): Observation {
  const reader = new ObservationReader(bytes);
  const flags = (count: number): number[] => {
    const values = new Float32Array(count);
    reader.flags(values, 0, count);
    return [...values];
  };
  const text = reader.index();
  const state = flags(spec.features.state);
  const items = Array.from({ length: reader.integer() }, () => ({
    text: reader.index(),
    at: reader.index(),
    flags: flags(spec.features.item),
  }));
  const actions = Array.from({ length: reader.integer() }, () => {
    const tool = reader.integer();
    const arity = spec.tools[tool]?.arity;
    if (arity === undefined) throw corrupt(`tool ${tool} is not one of the policy's ${spec.tools.length}`);
    const args = Array.from({ length: arity }, () => reader.integer());
    return { tool, args, flags: flags(spec.features.action) };
  });
  reader.end();
  return { text, flags: state, items, actions };
}

/** Writes one observation at a time into bytes that are used again. */
class Writer {
  private bytes = Buffer.alloc(1024);
  private length = 0;

  start(): void {
    this.length = 0;
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) {
      const larger = Buffer.alloc(2 * this.bytes.length);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.length++] = value;
  }

  integer(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.byte(rest);
  }

  index(value: number, list: string, i: number, field: string): void {
    if (!Number.isInteger(value) || value < -1 || value >= 2 ** 28)
      throw invalid(pathOf(list, i, field), `${value} is not an index (or -1)`);
    this.integer(value + 1);
  }

  flags(values: readonly number[], count: number, list: string, at: number): void {
    if (values.length !== count)
      throw invalid(pathOf(list, at, 'flags'), `the policy has ${count} of these features, got ${values.length}`);
    for (let k = 0; k < count; k++) {
      const value = values[k]!;
      const single = Math.fround(value);
      if (!Number.isFinite(single)) throw invalid(pathOf(list, at, 'flags'), `${value} is not a finite 32-bit number`);
      if (single === 0 || single === 1) {
        this.byte(single === 1 ? 1 : 0);
        continue;
      }
      this.byte(FLOAT);
      scratch.setFloat32(0, single, true);
      for (let i = 0; i < 4; i++) this.byte(scratch.getUint8(i));
    }
  }

  finish(): Uint8Array {
    return new Uint8Array(this.bytes.subarray(0, this.length));
  }

  text(): string {
    return this.bytes.toString('latin1', 0, this.length);
  }
}

const writer = new Writer();

const pathOf = (list: string, i: number, field: string): string => (i < 0 ? field : `${list}[${i}].${field}`);

function invalid(field: string, message: string): MillraceError {
  return new MillraceError('invalid_argument', `observation.${field}: ${message}`, { field: `observation.${field}` });
}

/** The bytes are not an observation of this policy. */
export function corrupt(message: string): MillraceError {
  return new MillraceError(
    'data_loss',
    `encoded observation: ${message}; it was written for another policy specification or damaged`,
  );
}

/** Token ids as little-endian bytes, as Experience.texts carries them. */
export function tokensToBytes(tokens: Int32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * tokens.length));
  tokens.forEach((token, index) => view.setInt32(4 * index, token, true));
  return new Uint8Array(view.buffer);
}

/** Inverse of {@link tokensToBytes}; `data_loss` when the length is not a multiple of 4. */
export function tokensFromBytes(bytes: Uint8Array): Int32Array {
  if (bytes.length % 4 !== 0)
    throw new MillraceError('data_loss', `a text of ${bytes.length} bytes is not a list of 32-bit token ids`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.length / 4 }, (_, index) => view.getInt32(4 * index, true));
}
