import { expect, it } from 'vitest';
import { hostPort } from './listening.ts';

it('a host and a port are written as in an address, IPv6 in brackets', () => {
  expect([hostPort('a.example', 7000), hostPort('::1', 7000)]).toEqual(['a.example:7000', '[::1]:7000']);
});
