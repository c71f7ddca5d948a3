import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { credentialPath, openCredentials } from './credentials.ts';
import { keepFilesPrivate, makeStateFolder, withPrivateFiles } from './state-folder.ts';

let stateDir: string;
beforeEach(() => {
  stateDir = join(mkdtempSync(join(tmpdir(), 'millrace-access-')), 'state');
});
afterEach(() => rmSync(join(stateDir, '..'), { recursive: true }));

const GARBAGE = Uint8Array.from({ length: 90 }, (_, i) => (i * 89 + 200) & 255);
const mode = (...path: string[]): string => (statSync(join(stateDir, ...path)).mode & 0o777).toString(8);

describe('credentials', () => {
  it('are made up once, differ, and stay', () => {
    const made = openCredentials(stateDir);
    expect(new Set(Object.values(made)).size).toBe(10);
    for (const secret of Object.values(made)) expect(secret).toMatch(/^[\w-]{32}$/);
    expect(openCredentials(stateDir)).toEqual(made);
    rmSync(credentialPath(stateDir, 'reader.token'));
    const rotated = openCredentials(stateDir);
    expect(rotated).toEqual({ ...made, readToken: expect.not.stringMatching(made.readToken) as string });
    expect(openCredentials(mkdtempSync(join(stateDir, 'other-'))).token).not.toBe(made.token);
  });

  it('lie in files for their owner alone, with what is in force', () => {
    const { token, writeToken } = openCredentials(stateDir);
    const { readToken } = openCredentials(stateDir, { readToken: 'the token of readers' });
    expect([readToken, openCredentials(stateDir).readToken]).toEqual(['the token of readers', 'the token of readers']);
    const read = (name: Parameters<typeof credentialPath>[1]): string => readFileSync(credentialPath(stateDir, name), 'utf8');
    expect([read('admin.token'), read('writer.token')]).toEqual([`${token}\n`, `${writeToken}\n`]);
    expect(read('reader.netrc')).toMatch(/^machine 127\.0\.0\.1 login reader password the token of readers$/m);
    expect(mode('credentials')).toBe('700');
    for (const name of 'admin.token work.token store.token reader.token reader.netrc writer.token writer.netrc'.split(' '))
      expect([name, mode('credentials', name)]).toEqual([name, '600']);
  });

  it.each<[string, (path: string) => void, RegExp]>([
    ['that others can read', (path) => chmodSync(path, 0o644), /could be read by other accounts; delete it/],
    ['that is a link', (path) => (rmSync(path), symlinkSync('/etc/hostname', path)), /cannot be read \(ELOOP\)/],
    ['that is empty', (path) => writeFileSync(path, '\n'), /holds no token of at least 16 characters/],
    ['that is truncated', (path) => truncateSync(path, 9), /holds no token of at least 16 characters; delete it/],
    ['that is garbage', (path) => writeFileSync(path, GARBAGE), /holds no token of printable ASCII/],
    ['of several lines', (path) => writeFileSync(path, 'a first line of text\nanother'), /holds no token of printable ASCII/],
  ])('are not taken from a file %s', (_, spoil, message) => {
    openCredentials(stateDir);
    spoil(credentialPath(stateDir, 'admin.token'));
    expect(() => openCredentials(stateDir)).toThrow(message);
  });
});

describe('the state folder', () => {
  it('is made for its owner alone', () => {
    makeStateFolder(stateDir);
    expect([mode(), mode('logs')]).toEqual(['700', '700']);
  });

  it('is closed, with all that lies in it, when others could enter it', () => {
    mkdirSync(join(stateDir, 'nats', 'deep'), { recursive: true });
    writeFileSync(join(stateDir, 'nats', 'deep', 'block'), '');
    chmodSync(join(stateDir, 'nats', 'deep', 'block'), 0o666);
    symlinkSync('/etc/hostname', join(stateDir, 'link'));
    const outside = statSync('/etc/hostname').mode;
    chmodSync(stateDir, 0o755);
    makeStateFolder(stateDir);
    expect([mode(), mode('nats'), mode('nats', 'deep'), mode('nats', 'deep', 'block')]).toEqual(['700', '700', '700', '600']);
    expect(statSync('/etc/hostname').mode).toBe(outside);
  });

  it('gives what is started in it no file that others can read', () => {
    const before = process.umask();
    try {
      expect(withPrivateFiles(() => process.umask().toString(8))).toBe('77');
      expect(() =>
        withPrivateFiles(() => {
          throw new Error('no');
        }),
      ).toThrow('no');
      expect(process.umask()).toBe(before);
      keepFilesPrivate();
      mkdirSync(stateDir, { recursive: true });
      writeFileSync(join(stateDir, 'file'), '');
      expect([mode(), mode('file')]).toEqual(['700', '600']);
    } finally {
      process.umask(before);
    }
  });
});
