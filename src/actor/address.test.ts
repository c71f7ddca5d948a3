import { describe, expect, it } from 'vitest';
import { formatAddress } from './address.ts';

describe('addresses', () => {
  it('are <node>/<role>/<name>', () => {
    expect(formatAddress('node-1', 'rollout', 'worker.2')).toBe('node-1/rollout/worker.2');
  });

  it.each(['b/c', ' c', ''])('refuse %j as a part', (name) => {
    expect(() => formatAddress('a', 'b', name)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  it('name the part that is wrong', () => {
    expect(() => formatAddress('n', 'r o l e', 'x')).toThrow(expect.objectContaining({ field: 'role' }));
  });
});
