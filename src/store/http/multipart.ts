import { exception } from './exception.ts';

/** Fields in a form are values of parameters and a statement, of which the engine takes 256 KiB: more is a mistake. */
export const MAX_FORM_BYTES = 4 * 1024 * 1024;
/** Fields of one form: parameters and settings. */
export const MAX_FORM_FIELDS = 1_000;
/** What stands before the value of a field. */
const MAX_HEAD_BYTES = 4 * 1024;

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
  return partsOf(Buffer.concat([NEW_LINE, ...chunks]), Buffer.from(`\r\n--${mark}`)).map(readPart);
}

const NEW_LINE = Buffer.from('\r\n');
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** What lies between boundaries, up to the last of them, which has `--` behind it. */
function partsOf(body: Buffer, boundary: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let from = -1;
  for (let at = body.indexOf(boundary); at >= 0; at = body.indexOf(boundary, from)) {
    if (from >= 0) parts.push(body.subarray(from, at));
    if (parts.length > MAX_FORM_FIELDS) throw exception('BAD_ARGUMENTS', `A form may have ${MAX_FORM_FIELDS} fields.`);
    from = at + boundary.length;
    if (body.subarray(from, from + 2).toString('latin1') === '--') return parts;
  }
  if (from >= 0) parts.push(body.subarray(from));
  return parts;
}

function readPart(part: Buffer): [string, string] {
  const end = part.subarray(0, MAX_HEAD_BYTES).indexOf(END_OF_HEAD);
  const head = part.subarray(0, Math.max(0, end)).toString('utf8');
  const name = /; *name="([^"]*)"/i.exec(head)?.[1];
  if (end < 0 || name === undefined) throw exception('BAD_ARGUMENTS', 'A part of the multipart body has no name.');
  if (/; *filename=/i.test(head)) throw exception('NOT_IMPLEMENTED', 'External tables (files in a form) are not supported.');
  return [name, part.subarray(end + END_OF_HEAD.length).toString('utf8')];
}
