import { describe, expect, it } from 'vitest';
import { commandOf, computes } from './command-needs.js';

describe('a command line', () => {
  it.each([
    [['train', 'job.yaml', '--report', 'up'], 'train'],
    [['--state', 'up', '-o', 'json', 'job', 'list'], 'job'],
    [['--state=up', '-q', 'eval', 'job.yaml'], 'eval'],
    [['train', '--help'], undefined],
    [['help', 'train'], undefined],
    [['--version'], undefined],
    [[], undefined],
  ])('%j is of %s', (args, command) => expect(commandOf(args)).toBe(command));

  it('computes where it trains or runs flows', () => {
    for (const command of ['up', 'train', 'tune', 'eval']) expect(computes([command])).toBe(true);
    for (const command of ['job', 'sql', 'query', 'node', 'nonsense']) expect(computes([command])).toBe(false);
  });
});
