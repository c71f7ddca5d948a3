import { describe, expect, it } from 'vitest';
import { MillraceError } from '../errors.ts';
import { clickHouseError } from './clickhouse-error.ts';
import type { Operation } from './clickhouse-error.ts';

const thrown = (code: number, text = 'something'): Error =>
  new Error(`Code: ${code}. DB::Exception: Code: ${code}. DB::Exception: ${text} (NAME) (version 26.7.2.1). (NAME)`);

describe('clickHouseError', () => {
  it.each<[number, Operation, string, boolean]>([
    [62, 'query', 'invalid_argument', false],
    [60, 'query', 'invalid_argument', false],
    [164, 'query', 'invalid_argument', false],
    [159, 'query', 'deadline_exceeded', true],
    [241, 'query', 'resource_exhausted', true],
    [27, 'insert', 'invalid_argument', false],
    [354, 'insert', 'invalid_argument', false],
    // Too large: halves may go through.
    [241, 'insert', 'resource_exhausted', true],
    [307, 'insert', 'resource_exhausted', true],
    [396, 'insert', 'resource_exhausted', true],
    // Not the fault of the rows: they must not go to the DLQ for it.
    [60, 'insert', 'failed_precondition', false],
    [49, 'insert', 'failed_precondition', false],
    [252, 'insert', 'unavailable', true],
    [243, 'insert', 'unavailable', true],
    [516, 'insert', 'unauthenticated', false],
    [62, 'migrate', 'failed_precondition', false],
  ])('maps %i in a %s to %s', (number, operation, code, retryable) => {
    expect(clickHouseError(thrown(number), operation)).toMatchObject({ code, retryable });
  });

  it("is not held up by a message of the query's own choice", () => {
    // What was cubic in the number of line breaks took hours for this.
    const texts = [
      '\n'.repeat(300_000),
      `${' '.repeat(300_000)}.`,
      `${'Code: 1. DB::Exception: '.repeat(20_000)}x`,
      ':\n'.repeat(100_000),
    ];
    for (const text of texts) expect(clickHouseError(thrown(395, text), 'query').message.length).toBeLessThan(700);
  });

  it('keeps the text of ClickHouse and its number, on one short line', () => {
    const error = clickHouseError(thrown(47, `Unknown identifier \`x\`\n in scope SELECT x${' '.repeat(900)}`), 'query');
    expect(error.message).toMatch(/^ClickHouse: Unknown identifier `x` in scope SELECT x .*\(code 47\)$/);
    expect(error.field).toBe('sql');
    const dumped = clickHouseError(thrown(27, 'Cannot parse input: \n\nRow 1:\nColumn 0, name: job, secret row'), 'insert');
    expect(dumped.message).toBe('ClickHouse: Cannot parse input (code 27)');
    expect(clickHouseError(thrown(27, 'x'.repeat(5000)), 'insert').message.length).toBeLessThan(650);
  });

  it('knows a full disk, whoever notices it, and not by what people wrote', () => {
    const full = {
      code: 'unavailable',
      retryable: true,
      message: expect.stringMatching(/^the disk of the store is full \(.*free some room$/) as string,
    };
    const node = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const engine = thrown(75, 'Cannot write to file /x: , errno: 28, strerror: No space left on device: While executing Sink');
    for (const error of [node, engine, thrown(243, 'Cannot reserve 1.00 MiB, not enough space')])
      expect(clickHouseError(error, 'insert')).toMatchObject(full);
    expect(clickHouseError(thrown(27, 'Cannot parse "No space left on device"'), 'insert').code).toBe('invalid_argument');
  });

  it('knows the network, a cancelled call, a body that is too large, and its own kind', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' });
    expect(clickHouseError(refused, 'insert')).toMatchObject({ code: 'unavailable', retryable: true });
    expect(clickHouseError(new DOMException('aborted', 'AbortError'), 'query').code).toBe('cancelled');
    expect(clickHouseError(new Error('The user aborted a request.'), 'query').code).toBe('cancelled');
    expect(clickHouseError(new Error('413 Request Entity Too Large'), 'insert').code).toBe('resource_exhausted');
    const thread = '801CC4134A7F0000:error:0A00045C:SSL routines:ssl3_read_bytes:tlsv13 alert certificate required';
    expect(clickHouseError(new Error(thread), 'migrate').code).toBe('failed_precondition');
    const own = new MillraceError('aborted', 'x');
    expect(clickHouseError(own, 'query')).toBe(own);
    expect(clickHouseError('text', 'query').code).toBe('internal');
  });
});
