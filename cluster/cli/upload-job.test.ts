import { describe, expect, it } from 'vitest';
import { isHere } from './upload-job.ts';

describe('isHere', () => {
  it.each(['127.0.0.1:7000', 'localhost:7000', '[::1]:7000', '127.1.2.3:1'])('finds %s on this machine', (address) => {
    expect(isHere(address)).toBe(true);
  });

  it.each(['coordinator-1:7000', '10.0.0.7:7000', '[fd00::1]:7000', 'localhost.example:7000'])(
    'takes %s for another machine',
    (address) => {
      expect(isHere(address)).toBe(false);
    },
  );
});
