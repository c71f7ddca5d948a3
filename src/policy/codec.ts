/**
 * Canonical byte encoding of an observation: equal situations are equal bytes.
 *
 * Layout (integers as unsigned LEB128, indices that may be -1 shifted by one): version, text + 1, state flags; number of
 * items, each text + 1, at + 1, flags; number of actions, each tool, args, flags. A flag is one byte, 0 for 0 and 1 for 1,
 * or 2 followed by a little-endian float32. Counts of flags and arguments come from the policy's specification.
 */
import { MillraceError } from '../errors.ts';
import type { Observation } from './observation.ts';
import type { PolicySpec } from './spec.ts';

const VERSION = 1;
const FLOAT = 2;
const scratch = new DataView(new ArrayBuffer(4));

/**
 * Encodes an observation. `invalid_argument` (with the field) when it does not fit the specification: wrong numbers of
 * flags or arguments, an unknown tool, an index out of range, a flag that is not finite, no action.
 */
export function encodeObservation(observation: Observation, spec: PolicySpec): Uint8Array {
  const writer = new Writer();
  writer.byte(VERSION);
  writer.index(observation.text, 'text');
  writer.flags(observation.flags, spec.features.state, 'flags');
  writer.integer(observation.items.length);
  for (const [i, item] of observation.items.entries()) {
    writer.index(item.text, `items[${i}].text`);
    writer.index(item.at, `items[${i}].at`);
    writer.flags(item.flags, spec.features.item, `items[${i}].flags`);
  }
  if (observation.actions.length === 0) throw invalid('actions', 'an observation needs at least one open action');
  writer.integer(observation.actions.length);
  for (const [i, action] of observation.actions.entries()) {
    const tool = spec.tools[action.tool];
    if (!tool) throw invalid(`actions[${i}].tool`, `no tool has index ${action.tool}; the policy has ${spec.tools.length}`);
    if (action.args.length !== tool.arity) {
      throw invalid(`actions[${i}].args`, `${tool.name} takes ${tool.arity} item(s), got ${action.args.length}`);
    }
    writer.integer(action.tool);
    for (const arg of action.args) {
      if (!Number.isInteger(arg) || arg < 0 || arg >= observation.items.length) {
        throw invalid(`actions[${i}].args`, `there is no item ${arg}; the observation has ${observation.items.length}`);
      }
      writer.integer(arg);
    }
    writer.flags(action.flags, spec.features.action, `actions[${i}].flags`);
  }
  return writer.finish();
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
export function decodeObservation(bytes: Uint8Array, spec: PolicySpec): Observation {
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

class Writer {
  private bytes = new Uint8Array(256);
  private length = 0;

  byte(value: number): void {
    if (this.length === this.bytes.length) {
      const larger = new Uint8Array(2 * this.bytes.length);
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

  index(value: number, field: string): void {
    if (!Number.isInteger(value) || value < -1 || value >= 2 ** 28) throw invalid(field, `${value} is not an index (or -1)`);
    this.integer(value + 1);
  }

  flags(values: readonly number[], count: number, field: string): void {
    if (values.length !== count) throw invalid(field, `the policy has ${count} of these features, got ${values.length}`);
    for (const value of values) {
      const single = Math.fround(value);
      if (!Number.isFinite(single)) throw invalid(field, `${value} is not a finite 32-bit number`);
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
    return this.bytes.slice(0, this.length);
  }
}

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
