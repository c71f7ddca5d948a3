import { describe, expect, it } from 'vitest';
import { MAX_FORM_BYTES, MAX_FORM_FIELDS, readMultipart } from './multipart.ts';

const TYPE = 'multipart/form-data; boundary=xx';
async function* inChunks(body: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < body.length; at += size) yield await Promise.resolve(body.subarray(at, at + size));
}
const form = (fields: readonly (readonly [string, string | Buffer])[], end = '--xx--\r\n'): Buffer =>
  Buffer.concat([
    ...fields.flatMap(([name, value]) => [
      Buffer.from(`--xx\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n`),
      Buffer.from(value),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(end),
  ]);
const read = (body: Buffer, size = 7): Promise<[string, string][]> => readMultipart(inChunks(body, size), TYPE);

describe('readMultipart', () => {
  it('gives names and values as they were', async () => {
    const fields = [
      ['query', 'SELECT 1'],
      ['param_é', 'a\r\nb--xx ☃'],
      ['empty', ''],
    ] as const;
    expect(await read(form(fields))).toEqual(fields);
    expect(await read(form(fields, ''))).toEqual([fields[0], fields[1], ['empty', '\r\n']]);
    expect(await read(Buffer.from('--xx--'))).toEqual([]);
    expect(await readMultipart(inChunks(form(fields), 5), 'multipart/form-data; boundary="xx"')).toEqual(fields);
  });

  it('says what is wrong', async () => {
    await expect(readMultipart(inChunks(form([]), 5), 'multipart/form-data')).rejects.toThrow('needs its boundary');
    await expect(read(Buffer.from('--xx\r\n\r\nvalue\r\n--xx--'))).rejects.toThrow('has no name');
    await expect(read(Buffer.from(`--xx\r\n${'x'.repeat(10_000)}\r\n\r\nvalue\r\n--xx--`), 4096)).rejects.toThrow('has no name');
    const file = Buffer.from('--xx\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\nx\r\n--xx--');
    await expect(read(file)).rejects.toThrow('External tables');
  });

  it('stops at bounds that it names', async () => {
    const many = (n: number): Buffer => form(Array.from({ length: n }, (_, i) => [`param_${i}`, 'x'] as const));
    expect(await read(many(MAX_FORM_FIELDS), 65_536)).toHaveLength(MAX_FORM_FIELDS);
    await expect(read(many(MAX_FORM_FIELDS + 1), 65_536)).rejects.toThrow(`A form may have ${MAX_FORM_FIELDS} fields.`);
    const large = form([['a', Buffer.alloc(MAX_FORM_BYTES)]]);
    await expect(read(large, 65_536)).rejects.toThrow(`A form may have ${MAX_FORM_BYTES} bytes.`);
  });
});
