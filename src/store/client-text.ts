import type { Readable } from 'node:stream';

/** Everything a stream gives, as text. */
export async function readText(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}

/** The rows of TabSeparated without escapes in it: names and numbers. */
export const textRows = (printed: Uint8Array | string): string[][] =>
  (typeof printed === 'string' ? printed : Buffer.from(printed).toString('utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
