/** Messages of Amazon's event streams (`application/vnd.amazon.eventstream`). */

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  return (crc ^ 0xffffffff) >>> 0;
}

/** One message: lengths, their checksum, headers, the content, and a checksum of all. */
export function eventStreamMessage(headers: Readonly<Record<string, string>>, content: unknown): Uint8Array {
  const payload = Buffer.from(JSON.stringify(content));
  const head = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const type = 7; // a text
      const bytes = Buffer.from(value);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([type]), length, bytes]);
    }),
  );
  const message = Buffer.alloc(12 + head.length + payload.length + 4);
  message.writeUInt32BE(message.length, 0);
  message.writeUInt32BE(head.length, 4);
  message.writeUInt32BE(crc32(message.subarray(0, 8)), 8);
  message.set(head, 12);
  message.set(payload, 12 + head.length);
  message.writeUInt32BE(crc32(message.subarray(0, -4)), message.length - 4);
  return message;
}
