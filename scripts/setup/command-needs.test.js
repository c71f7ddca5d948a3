import { describe, expect, it } from 'vitest';
import { computes, wordsOf } from './command-needs.js';

describe('a command line', () => {
  it.each([
    [
      ['train', 'job.yaml', '--report', 'up'],
      ['train', 'job.yaml'],
    ],
    [
      ['--state', 'up', '-o', 'json', 'job', '--address', 'run', 'list'],
      ['job', 'list'],
    ],
    [
      ['--state=up', '-q', 'eval', 'job.yaml'],
      ['eval', 'job.yaml'],
    ],
    [['train', '--help'], []],
    [['help', 'train'], []],
    [['--version'], []],
    [[], []],
  ])('%j begins with %j', (args, words) => expect(wordsOf(args)).toEqual(words));

  it('computes where it trains or runs flows', () => {
    const computing = ['up', 'train', 'tune', 'eval', 'cluster up', 'job run', 'job tune', 'job estimate', 'checkpoint evaluate'];
    for (const command of [...computing, 'node run --roles rollout', 'node --roles rollout'])
      expect(computes(command.split(' ')), command).toBe(true);
    const others = [
      'job',
      'job list',
      'sql',
      'query',
      'node',
      'node list',
      'nonsense',
      'cluster check',
      'checkpoint list up',
      'trajectory export',
    ];
    for (const command of others) expect(computes(command.split(' ')), command).toBe(false);
  });
});
