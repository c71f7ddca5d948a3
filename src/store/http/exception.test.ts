import { describe, expect, it } from 'vitest';
import { asException } from './exception.ts';

const version = '(version 26.7.2.1 (official build))';

describe('asException', () => {
  it("takes the engine's exceptions out of each other", () => {
    const inner = `Code: 62. DB::Exception: Syntax error (here). (SYNTAX_ERROR) ${version}`;
    for (const text of [inner, `Code: 62. DB::Exception: ${inner}. (SYNTAX_ERROR) ${version}`, `Query failed: ${inner}`])
      expect(asException(new Error(text))).toMatchObject({ code: 62, type: 'SYNTAX_ERROR', message: 'Syntax error (here).' });
    expect(asException(new Error('Code: 1. DB::NetException: no name'))).toMatchObject({ code: 1, type: 'UNKNOWN_EXCEPTION' });
  });

  it('looks at no more of a message than helps, whatever the query put into it', () => {
    // Each of them was quadratic or worse.
    for (const text of [
      'Code: 395. DB::Exception: '.repeat(40_000),
      ' '.repeat(1_000_000),
      '(version '.repeat(100_000),
      '('.repeat(1_000_000),
    ]) {
      const { code, type, message } = asException(new Error(`Code: 395. DB::Exception: ${text} (NAME) ${version}`));
      expect({ code, type }).toEqual({ code: 395, type: 'NAME' });
      expect(message.length).toBeLessThan(20_000);
    }
  });
});
