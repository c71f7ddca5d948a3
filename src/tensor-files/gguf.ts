/**
 * GGUF files, versions 2 and 3, little-endian: metadata by key, places of tensors, then their data.
 * Source: docs/gguf.md in the ggml-org/ggml repository.
 */
import { MillraceError } from '../errors.ts';
import type { ByteSource } from './byte-source.ts';
import { BLOCKS, sizeOf, type Encoding, type TensorEntry } from './encoding.ts';
import { GgufCursor, type GgufValue } from './gguf-cursor.ts';
import { tensorFile, withSource, type TensorFile } from './tensor-file.ts';

/** A GGUF file. Shapes of its tensors have the outermost dimension first, the reverse of how the file writes them. */
export interface GgufFile extends TensorFile {
  readonly metadata: ReadonlyMap<string, GgufValue>;
}

const MAGIC = 0x46554747;
const VERSIONS = [2, 3];
/** GGML_MAX_DIMS. */
const MOST_DIMENSIONS = 4;
const DEFAULT_ALIGNMENT = 32;
const LARGEST_ALIGNMENT = 1 << 16;
/** The fewest bytes that a tensor's description takes: an empty name, no dimensions, type and offset. */
const LEAST_TENSOR_BYTES = 8 + 4 + 4 + 8;
/** The fewest bytes of an item of the metadata: an empty key, its type and one byte. */
const LEAST_ITEM_BYTES = 8 + 4 + 1;

/** `ggml_type` of those that can be read, and names of others for messages. */
const TYPES: Readonly<Record<number, Encoding>> = { 0: 'F32', 1: 'F16', 2: 'Q4_0', 3: 'Q4_1', 8: 'Q8_0', 30: 'BF16' };
const OTHER_TYPES: Readonly<Record<number, string>> = {
  ...{ 6: 'Q5_0', 7: 'Q5_1', 9: 'Q8_1', 10: 'Q2_K', 11: 'Q3_K', 12: 'Q4_K', 13: 'Q5_K', 14: 'Q6_K', 15: 'Q8_K' },
  ...{ 16: 'IQ2_XXS', 17: 'IQ2_XS', 18: 'IQ3_XXS', 19: 'IQ1_S', 20: 'IQ4_NL', 21: 'IQ3_S', 22: 'IQ2_S', 23: 'IQ4_XS' },
  ...{ 24: 'I8', 25: 'I16', 26: 'I32', 27: 'I64', 28: 'F64', 29: 'IQ1_M', 34: 'TQ1_0', 35: 'TQ2_0', 39: 'MXFP4' },
};

/**
 * Opens a GGUF file. `not_found` when there is none; `data_loss` when it is damaged; `invalid_argument` when it is of a version or holds
 * tensors of a type that cannot be read. Nothing is allocated but the metadata.
 */
export async function openGguf(file: string | Uint8Array): Promise<GgufFile> {
  return withSource(file, async (source) => {
    const cursor = new GgufCursor(source);
    if ((await cursor.uint32()) !== MAGIC) throw cursor.damaged('it does not begin with GGUF');
    const version = await cursor.uint32();
    if (!VERSIONS.includes(version)) {
      const bigEndian = VERSIONS.includes(version >>> 24) ? ' (a big-endian file)' : '';
      const supported = VERSIONS.join(' and ');
      throw new MillraceError(
        'invalid_argument',
        `${source.name} is GGUF of version ${version}${bigEndian}; supported are ${supported}, little-endian`,
      );
    }
    const tensorCount = await cursor.count(LEAST_TENSOR_BYTES, 'tensors');
    const itemCount = await cursor.count(LEAST_ITEM_BYTES, 'metadata items');
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < itemCount; i++) {
      const key = await cursor.string();
      metadata.set(key, await cursor.value(await cursor.uint32(), key));
    }
    const described: Described[] = [];
    for (let i = 0; i < tensorCount; i++) described.push(await describe(cursor));
    const start = alignedUp(cursor.position, alignmentOf(metadata, cursor));
    return {
      ...tensorFile(
        source,
        described.map((tensor) => place(tensor, start, source)),
      ),
      metadata,
    };
  });
}

interface Described {
  name: string;
  shape: number[];
  encoding: Encoding;
  offset: number;
}

async function describe(cursor: GgufCursor): Promise<Described> {
  const name = await cursor.string();
  const dimensions = await cursor.uint32();
  if (dimensions > MOST_DIMENSIONS) throw cursor.damaged(`tensor ${name} has ${dimensions} dimensions`);
  const shape: number[] = [];
  for (let i = 0; i < dimensions; i++) shape.unshift(await cursor.natural());
  const type = await cursor.uint32();
  const encoding = TYPES[type];
  if (encoding === undefined) {
    const supported = Object.values(TYPES).join(', ');
    const named = OTHER_TYPES[type] ?? `number ${type}`;
    throw new MillraceError(
      'invalid_argument',
      `${cursor.name}: tensor ${name} is of type ${named}; supported are ${supported}: convert the model to one of them`,
    );
  }
  return { name, shape, encoding, offset: await cursor.natural() };
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, cursor: GgufCursor): number {
  const alignment = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  const valid = typeof alignment === 'number' && alignment >= 1 && alignment <= LARGEST_ALIGNMENT && Number.isInteger(alignment);
  if (!valid) throw cursor.damaged('general.alignment is no sensible number');
  return alignment;
}

const alignedUp = (position: number, alignment: number): number => Math.ceil(position / alignment) * alignment;

function place({ name, shape, encoding, offset }: Described, start: number, source: ByteSource): TensorEntry {
  const block = BLOCKS[encoding];
  const damaged = (what: string) => new MillraceError('data_loss', `${source.name}: ${what}`);
  if ((shape.at(-1) ?? 1) % block.numbers !== 0) throw damaged(`rows of tensor ${name} are not whole blocks of ${encoding}`);
  const bytes = (sizeOf(shape) / block.numbers) * block.bytes;
  if (!(start + offset + bytes <= source.size)) throw damaged(`the data of tensor ${name} is cut off`);
  return { name, shape, encoding, offset: start + offset, bytes };
}
