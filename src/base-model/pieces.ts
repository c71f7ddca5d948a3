/** Bytes that tokens stand for, as `tokenizer.json` describes them. */
/** Bytes of every token that is text; special tokens are left out. */
export function tokenPieces(json: Readonly<Record<string, unknown>>): Map<number, Uint8Array> {
  const { vocab } = (json['model'] ?? {}) as { vocab?: Record<string, number> };
  const isByteLevel = hasType(json['decoder'], 'ByteLevel') || hasType(json['pre_tokenizer'], 'ByteLevel');
  const bytesOf = isByteLevel ? byteLevel() : sentencePiece;
  const pieces = new Map<number, Uint8Array>();
  for (const [text, id] of Object.entries(vocab ?? {})) {
    const bytes = bytesOf(text);
    if (bytes) pieces.set(id, bytes);
  }
  const added = (Array.isArray(json['added_tokens']) ? json['added_tokens'] : []) as {
    id?: number;
    content?: string;
    special?: boolean;
  }[];
  for (const { id, content, special } of added) {
    if (id === undefined) continue;
    if (special === true || content === undefined) pieces.delete(id);
    else pieces.set(id, Buffer.from(content));
  }
  return pieces;
}

/** Whether a component, or one of those that it is a sequence of, is of a type. */
function hasType(component: unknown, type: string): boolean {
  if (typeof component !== 'object' || component === null) return false;
  const { type: own, decoders, pretokenizers } = component as { type?: string; decoders?: unknown[]; pretokenizers?: unknown[] };
  return own === type || [...(decoders ?? []), ...(pretokenizers ?? [])].some((part) => hasType(part, type));
}

/** The table of GPT-2: printable characters stand for their own byte, the other bytes for characters from 256 on. */
export function byteCharacters(): string[] {
  let other = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isOwn = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isOwn ? byte : other++);
  });
}

function byteLevel(): (text: string) => Uint8Array | undefined {
  const byteOf = new Map(byteCharacters().map((character, byte) => [character, byte]));
  return (text) => {
    const bytes = [...text].map((character) => byteOf.get(character));
    return bytes.every((byte) => byte !== undefined) ? Uint8Array.from(bytes) : undefined;
  };
}

/** SentencePiece: `▁` is a space, `<0x0A>` a byte. */
function sentencePiece(text: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(text);
  return byte ? Uint8Array.of(Number.parseInt(byte[1]!, 16)) : Buffer.from(text.replaceAll('▁', ' '));
}
