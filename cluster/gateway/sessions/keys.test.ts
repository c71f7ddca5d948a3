import { describe, expect, it } from 'vitest';
import { hashOfKey, isKeyOf, newSessionKey, sessionOfKey } from './keys.ts';

const id = '0123456789abcdef'.repeat(2);

describe('a key of a session', () => {
  const key = newSessionKey(id);

  it('opens its own session and no other', () => {
    expect(sessionOfKey(key)).toBe(id);
    const session = { keyHash: hashOfKey(key) };
    expect(isKeyOf(session, key)).toBe(true);
    for (const other of [newSessionKey(id), `${key}x`, '', id]) expect(isKeyOf(session, other)).toBe(false);
  });

  it.each(['', 'sk-abc', 'mrs-xyz', `mrs-${id}`, `mrs-${id}-short`, `Bearer ${newSessionKey(id)}`])('is not %s', (text) => {
    expect(sessionOfKey(text)).toBeUndefined();
  });
});
