import { chmodSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialsIn, natsPasswordIn } from './given-credentials.ts';

const TOKEN = 'a token of this test';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'millrace-given-'))));
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, text = `${TOKEN}\n`, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}
const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'invalid_argument', field: 'credentialsDir', message: expect.stringMatching(message) });

describe('credentials that were given to a node', () => {
  it('are read when they are asked for, and the others need not be there', () => {
    write('work.token');
    expect(credentialsIn(folder).workToken).toBe(TOKEN);
  });

  it('are never made up: the error names the missing file', () => {
    expect(() => credentialsIn(folder).storeToken).toThrow(refused(/store\.token is not there: copy it/));
    expect(readdirSync(folder)).toEqual([]);
  });

  it('may be links to files that the group may read, as mounted secrets are', () => {
    symlinkSync(write('..data', `${TOKEN}\n`, 0o440), join(folder, 'admin.token'));
    expect(credentialsIn(folder).token).toBe(TOKEN);
  });

  it('give way to those that the settings name', () => {
    expect(credentialsIn(folder, { token: 'a token of the settings' }).token).toBe('a token of the settings');
  });

  it.each([
    ['open to everybody', TOKEN, 0o604, /is open to every account/],
    ['changed by the group', TOKEN, 0o620, /can be changed by its group/],
    ['too short', 'short', 0o600, /holds no token of at least 16 characters/],
    ['no ASCII', 'a token with an ümlaut', 0o600, /holds no token of printable ASCII/],
  ])('are refused where they are %s', (_, text, mode, message) => {
    write('admin.token', text, mode);
    expect(() => credentialsIn(folder).token).toThrow(refused(message));
  });
});

describe('the password of an identity on NATS', () => {
  it('is that of its file, where there is one', () => {
    expect(natsPasswordIn(folder, 'rollout')).toEqual({ path: join(folder, 'nats-rollout.password'), password: undefined });
    write('nats-rollout.password');
    expect(natsPasswordIn(folder, 'rollout').password).toBe(TOKEN);
  });
});
