import { describe, expect, it } from 'vitest';
import { formatAddress, parseAddress } from './address.ts';

describe('addresses', () => {
  it('are <node>/<role>/<name> and can be taken apart again', () => {
    expect(formatAddress('node-1', 'rollout', 'worker.2')).toBe('node-1/rollout/worker.2');
    expect(parseAddress('node-1/rollout/worker.2')).toEqual({ node: 'node-1', role: 'rollout', name: 'worker.2' });
  });

  it.each(['a/b', 'a/b/c/d', 'a//c', 'a/b/ c', ''])('refuses %j', (address) => {
    expect(() => parseAddress(address)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
  });

  it('names the part that is wrong', () => {
    expect(() => formatAddress('n', 'r o l e', 'x')).toThrow(expect.objectContaining({ field: 'role' }));
  });
});
