import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { cannotStart, essence, mostStarts } from './start-failure.ts';

describe('mostStarts', () => {
  const failed = (code: ErrorCode) => mostStarts({ kind: 'error', message: 'x', code });

  it('tries again longer where something did not answer in time', () => {
    expect([mostStarts(undefined), failed('internal'), failed('unavailable'), failed('deadline_exceeded')]).toEqual([
      3, 3, 10, 10,
    ]);
  });

  it('tries once where a person has to act', () => {
    expect(failed('invalid_argument')).toBe(1);
  });
});

describe('essence', () => {
  it('is the line that names the error', () => {
    const printed = 'node:internal/modules:1\n    throw e;\n\nTypeError: x is not a function\n    at main.ts:3\n\nNode.js v22';
    expect(essence(printed)).toBe('TypeError: x is not a function');
    expect(essence('Error [ERR_MODULE]: no such file\n at x')).toBe('Error [ERR_MODULE]: no such file');
  });

  it('is the last line where none does', () => {
    expect(essence('killed\nby something\n\n')).toBe('by something');
    expect(essence('')).toMatch(/no message/);
  });
});

it('says why a node cannot start, and where its log would be', () => {
  const error = cannotStart(
    { id: 'store-1', logFile: '/nowhere/logs/store-1.log' },
    { how: 'exit code 1', lastError: 'Error: the port is taken\n  at x', startedAt: 0 },
  );
  expect(error.message).toBe(
    'Node store-1 cannot start (exit code 1): Error: the port is taken\nnothing was written to /nowhere/logs/store-1.log',
  );
});
