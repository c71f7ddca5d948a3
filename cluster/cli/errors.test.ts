import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../src/errors.ts';
import { exitCodeOf, reportError } from './errors.ts';

function reported(error: MillraceError, env: NodeJS.ProcessEnv = {}, logs?: string): string {
  let text = '';
  reportError(error, { write: (chunk) => (text += chunk) }, { env, logs });
  return text;
}

describe('errors of the command line', () => {
  it('end with the documented codes', () => {
    const codes = (
      ['invalid_argument', 'not_found', 'unavailable', 'deadline_exceeded', 'internal', 'already_exists'] as const
    ).map((code) => exitCodeOf(new MillraceError(code, '')));
    expect(codes).toEqual([2, 3, 4, 4, 1, 1]);
  });

  it('say what, where and what to do', () => {
    expect(reported(new MillraceError('invalid_argument', 'got 1, expected 2 to 8', { field: 'rollout.groupSize' }))).toBe(
      'error: got 1, expected 2 to 8\nwhere: rollout.groupSize\n',
    );
    expect(reported(new MillraceError('invalid_argument', 'job.yaml:3: a.b: got 1', { field: 'a.b' }))).not.toMatch(/where/);
    expect(reported(new MillraceError('unavailable', 'nothing there'))).toMatch(/\nhelp: {2}start a cluster with `millrace up`/);
    expect(reported(new MillraceError('unavailable', 'nothing there'), {}, '/s/logs')).toMatch(
      /\nhelp: {2}the logs in \/s\/logs/,
    );
  });

  it('show the stack only when asked', () => {
    const error = new MillraceError('internal', 'outer', { cause: new Error('inner') });
    expect(reported(error)).not.toMatch(/ at /);
    expect(reported(error, { MILLRACE_DEBUG: '1' })).toMatch(
      /MillraceError: outer\n {4}at [\s\S]*caused by Error: inner\n {4}at /,
    );
  });
});
