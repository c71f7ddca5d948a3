import { exception } from './exception.ts';

/** Fields in a form are values of parameters and a statement: more is a mistake. */
const MAX_FORM_BYTES = 16 * 1024 * 1024;

/**
 * The fields of a multipart/form-data body (RFC 7578): the JavaScript client sends parameters this way that do not fit into a
 * URL. Files, which are external tables to ClickHouse, are refused.
 */
export async function readMultipart(body: AsyncIterable<Buffer>, contentType: string): Promise<[string, string][]> {
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/.exec(contentType);
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) throw exception('BAD_ARGUMENTS', 'A multipart body needs its boundary in Content-Type.');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAX_FORM_BYTES) throw exception('TOO_MANY_BYTES', `A form may have ${MAX_FORM_BYTES} bytes.`);
    chunks.push(chunk);
  }
  // latin1 keeps every byte where it is.
  const parts = `\r\n${Buffer.concat(chunks).toString('latin1')}`.split(`\r\n--${mark}`).slice(1);
  return parts.filter((part) => !part.startsWith('--')).map(readPart);
}

function readPart(part: string): [string, string] {
  const end = part.indexOf('\r\n\r\n');
  const head = part.slice(0, end);
  const name = /;\s*name="([^"]*)"/i.exec(head)?.[1];
  if (end < 0 || name === undefined) throw exception('BAD_ARGUMENTS', 'A part of the multipart body has no name.');
  if (/;\s*filename=/i.test(head)) throw exception('NOT_IMPLEMENTED', 'External tables (files in a form) are not supported.');
  const text = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');
  return [text(name), text(part.slice(end + 4))];
}
