import { describe, expect, it } from 'vitest';
import { natsAddress, natsAddresses } from './address.ts';

describe('natsAddresses', () => {
  it.each([
    ['nats://a:4222', ['nats://a:4222']],
    ['nats://a:4222,nats://b:4222, tls://c', ['nats://a:4222', 'nats://b:4222', 'tls://c']],
    ['a:4222,b:4222', ['a:4222', 'b:4222']],
    ['nats://me:a,b@host:4222,nats://other:4222', ['nats://host:4222', 'nats://other:4222']],
    [
      ['nats://a', 'nats://b,nats://c'],
      ['nats://a', 'nats://b', 'nats://c'],
    ],
  ])('takes %j apart', (text, servers) => {
    expect(natsAddresses(text).map(({ server }) => server)).toEqual(servers);
  });
});

describe('natsAddress', () => {
  it.each([
    ['nats://127.0.0.1:4222', { server: 'nats://127.0.0.1:4222' }],
    ['127.0.0.1:4222', { server: '127.0.0.1:4222' }],
    ['nats://me:secret@host:4222', { server: 'nats://host:4222', user: 'me', password: 'secret' }],
    ['tls://me:a%40b%3Ac@host', { server: 'tls://host', user: 'me', password: 'a@b:c' }],
    ['nats://me:a:b@c@host', { server: 'nats://host', user: 'me', password: 'a:b@c' }],
    ['nats://token@host', { server: 'nats://host', token: 'token' }],
    ['me:secret@host:4222', { server: 'host:4222', user: 'me', password: 'secret' }],
  ])('takes %s apart', (text, parts) => {
    expect(natsAddress(text)).toEqual(parts);
  });

  it('refuses what is no URL text, without repeating it', () => {
    expect(() => natsAddress('nats://me:100%@host')).toThrow(
      /^the credentials in the address of nats:\/\/host are no valid URL text/,
    );
  });
});
