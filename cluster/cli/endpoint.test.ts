import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adminFilePath, forgetAdminFile, readAdminFile, writeAdminFile } from '../up/admin-file.ts';
import { findEndpoint, type EndpointSources } from './endpoint.ts';

describe('finding the cluster', () => {
  let stateDir: string;
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
  });
  afterEach(() => rmSync(stateDir, { recursive: true }));

  const find = (given: Partial<Pick<EndpointSources, 'address' | 'tokenFile' | 'tls' | 'env'>> = {}) =>
    findEndpoint({ address: undefined, tokenFile: undefined, env: {}, ...given, stateDir, cwd: stateDir });

  it('prefers the flag to the environment to the file of the running cluster', () => {
    writeAdminFile(stateDir, { address: 'file:1', token: 'file token' });
    expect(find()).toEqual({ address: 'file:1', token: 'file token', origin: adminFilePath(stateDir) });
    const env = { MILLRACE_ADDRESS: 'env:2', MILLRACE_TOKEN: 'env token' };
    expect(find({ env })).toEqual({ address: 'env:2', token: 'env token', origin: 'MILLRACE_ADDRESS' });
    writeFileSync(join(stateDir, 'flag.token'), 'token of the flag\n');
    writeFileSync(join(stateDir, 'env.token'), 'token of the environment\n');
    expect(find({ env, address: 'flag:3', tokenFile: 'flag.token' })).toEqual({
      address: 'flag:3',
      token: 'token of the flag',
      origin: '--address',
    });
    expect(find({ env: { MILLRACE_TOKEN_FILE: 'env.token' } }).token).toBe('token of the environment');
    expect(() => find({ tokenFile: 'none' })).toThrow(/^--token-file: cannot be read/);
  });

  it('says when the process that left the file is gone', () => {
    writeAdminFile(stateDir, { address: 'file:1', pid: process.pid });
    expect(find().origin).toBe(adminFilePath(stateDir));
    // No process has a number this high.
    writeAdminFile(stateDir, { address: 'file:1', pid: 2 ** 22 + 1 });
    expect(find().origin).toBe(`${adminFilePath(stateDir)}, left by process 4194305, which is gone`);
  });

  it('gives the file’s token to nobody but the file’s address', () => {
    writeAdminFile(stateDir, { address: 'file:1', token: 'file token' });
    expect(find({ address: 'file:1' }).token).toBe('file token');
    expect(find({ address: 'other:1' }).token).toBeUndefined();
  });

  it('finds the files of TLS as it finds the token', () => {
    const files = (name: string) => ({ caFile: `/${name}/ca`, certFile: `/${name}/cert`, keyFile: `/${name}/key` });
    writeAdminFile(stateDir, { address: 'file:1', tls: files('file') });
    expect([find().tls, find({ address: 'file:1' }).tls, find({ address: 'other:1' }).tls]).toEqual([
      files('file'),
      files('file'),
      undefined,
    ]);
    const env = { MILLRACE_TLS_CA: '/env/ca', MILLRACE_TLS_CERT: '/env/cert', MILLRACE_TLS_KEY: '/env/key' };
    expect(find({ env }).tls).toEqual(files('env'));
    expect(find({ env, tls: { keyFile: 'flag.key' } }).tls).toEqual({ ...files('env'), keyFile: join(stateDir, 'flag.key') });
    expect(() => find({ tls: { caFile: 'ca' } })).toThrow(
      '--tls-cert: TLS needs a CA, a certificate and its key; give it, or set MILLRACE_TLS_CERT.',
    );
  });

  it('says where it looked when there is nothing', () => {
    expect(() => find()).toThrow(
      expect.objectContaining({
        code: 'unavailable',
        message: expect.stringContaining(adminFilePath(stateDir)) as string,
      }) as Error,
    );
  });

  it('writes the file for this user only', () => {
    writeAdminFile(stateDir, { address: 'file:1', token: 't', pid: 12 });
    expect(statSync(adminFilePath(stateDir)).mode & 0o777).toBe(0o600);
    expect(readAdminFile(stateDir)).toEqual({ address: 'file:1', token: 't', pid: 12 });
    forgetAdminFile(stateDir);
    expect(readAdminFile(stateDir)).toBeUndefined();
  });

  it.each(['{', '[]', '{"address": 7}', 'null'])('refuses a damaged file: %s', (text) => {
    writeFileSync(adminFilePath(stateDir), text);
    expect(() => find()).toThrow(expect.objectContaining({ code: 'failed_precondition' }) as Error);
  });
});
