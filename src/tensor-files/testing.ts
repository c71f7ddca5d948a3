/** Writes GGUF files for tests, damaged ones too. */

/** A value of the metadata with the number of its type. */
export interface GgufItem {
  key: string;
  type: number;
  /** A number, a string (type 8), or [type of the entries, entries] (type 9). */
  value: number | string | [number, readonly (number | string)[]];
}

/** A tensor: its shape outermost dimension first, its `ggml_type`. */
export interface GgufTensor {
  name: string;
  shape: readonly number[];
  type: number;
  data: Uint8Array;
  /** What the header says of its place. Default: where it is. */
  offset?: number;
}

/** What the header says besides. */
export interface GgufHeader {
  /** Default: 3. */
  version?: number;
  /** Default: how many there are. */
  tensorCount?: number;
  /** Default: how many there are. */
  itemCount?: number;
}

const ALIGNMENT = 32;

/** Bytes of a GGUF file. */
export function ggufFile(items: readonly GgufItem[], tensors: readonly GgufTensor[], header: GgufHeader = {}): Uint8Array {
  const parts: Uint8Array[] = [Buffer.from('GGUF'), uint32(header.version ?? 3)];
  parts.push(uint64(header.tensorCount ?? tensors.length), uint64(header.itemCount ?? items.length));
  for (const { key, type, value } of items) parts.push(text(key), uint32(type), encoded(type, value));
  let offset = 0;
  for (const tensor of tensors) {
    parts.push(text(tensor.name), uint32(tensor.shape.length), ...[...tensor.shape].reverse().map(uint64));
    parts.push(uint32(tensor.type), uint64(tensor.offset ?? offset));
    offset += padded(tensor.data).length;
  }
  return Buffer.concat([padded(Buffer.concat(parts)), ...tensors.map(({ data }) => padded(data))]);
}

function encoded(type: number, value: GgufItem['value']): Uint8Array {
  if (Array.isArray(value)) {
    const [entryType, entries] = value;
    return Buffer.concat([uint32(entryType), uint64(entries.length), ...entries.map((entry) => encoded(entryType, entry))]);
  }
  if (typeof value === 'string') return text(value);
  const bytes = Buffer.alloc(8);
  if (type === 4) return bytes.subarray(0, bytes.writeUInt32LE(value));
  if (type === 6) return bytes.subarray(0, bytes.writeFloatLE(value));
  if (type === 7) return bytes.subarray(0, bytes.writeUInt8(value));
  throw new Error(`the tests write no values of type ${type}`);
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint64(bytes.length), bytes]);
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, Buffer.alloc((ALIGNMENT - (bytes.length % ALIGNMENT)) % ALIGNMENT)]);
}
