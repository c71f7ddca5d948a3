import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loginOptions } from './login.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-login-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
// Made for this test; no server knows it.
const SEED = 'SUAIBDPBAUTWCWBKIO6XHQNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC4';
const NONCE = { nonce: 'x' };
const signed = ({ authenticator }: ReturnType<typeof loginOptions>): object =>
  (authenticator as (nonce?: string) => object)(NONCE.nonce);

describe('loginOptions', () => {
  it('are user and password, a token, or certificates', () => {
    expect(loginOptions({})).toEqual({});
    expect(loginOptions({ user: 'me' })).toEqual({ user: 'me', pass: '' });
    expect(loginOptions({ token: 't' })).toEqual({ token: 't' });
    const caFile = file('ca.pem', 'x');
    expect(loginOptions({ user: 'me', password: 'p', caFile })).toEqual({ user: 'me', pass: 'p', tls: { caFile } });
  });

  it('sign what the server asks with an nkey, read anew at each connection', () => {
    const nkeyFile = file('user.nk', `# of the user\n${SEED}\n`);
    const options = loginOptions({ nkeyFile });
    expect(signed(options)).toMatchObject({ nkey: expect.stringMatching(/^U/), sig: expect.any(String) });
    writeFileSync(nkeyFile, '');
    expect(() => signed(options)).toThrow(/^nats\.nkeyFile: .* holds no seed of an nkey$/);
  });

  it('are those of a credentials file', () => {
    const credsFile = file(
      'user.creds',
      `-----BEGIN NATS USER JWT-----\nabc\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${SEED}\n------END USER NKEY SEED------\n`,
    );
    expect(signed(loginOptions({ credsFile }))).toMatchObject({ jwt: 'abc', sig: expect.any(String) });
  });

  it.each([
    [{ credsFile: join(folder, 'missing') }, /^nats\.credsFile: .*missing cannot be read \(ENOENT\)$/],
    [{ credsFile: file('other', 'x') }, /^nats\.credsFile: .*other is no credentials file of NATS$/],
    [{ nkeyFile: file('other', 'x') }, /^nats\.nkeyFile: .*other holds no seed of an nkey$/],
    [{ keyFile: folder }, /^nats\.keyFile: .* cannot be read \(EISDIR\)$/],
  ])('refuse %j', (login, message) => {
    expect(() => loginOptions(login)).toThrow(message);
  });
});
