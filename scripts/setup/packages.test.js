import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { checkNodeVersion } from './node-version.js';
import { ensurePackages, isInstalled } from './packages.js';

let root;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-packages-'));
  writeFileSync(join(root, 'package-lock.json'), '{"lockfileVersion": 3}');
  mkdirSync(join(root, 'bin'));
  vi.stubEnv('PATH', `${join(root, 'bin')}${delimiter}${process.env.PATH}`);
  vi.stubEnv('npm_execpath', '');
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(root, { recursive: true, force: true });
});

/** Puts an npm in the path that writes down its arguments and does as told. */
function fakeNpm(script = 'mkdir -p node_modules && echo {} > node_modules/.package-lock.json') {
  writeFileSync(join(root, 'bin', 'npm'), `#!/bin/sh\necho "$@" >> calls\n${script}\n`);
  chmodSync(join(root, 'bin', 'npm'), 0o755);
}

function calls() {
  return existsSync(join(root, 'calls')) ? readFileSync(join(root, 'calls'), 'utf8').trim().split('\n') : [];
}

describe('ensurePackages', () => {
  it('installs once, quietly, and again when the lock file changes', async () => {
    fakeNpm();
    await ensurePackages(root);
    await ensurePackages(root);
    expect(calls()).toHaveLength(1);
    expect(calls()[0]).toMatch(/^ci .*--include=dev/);
    // A checkout gives files the present time: the content counts.
    const later = new Date(Date.now() + 60_000);
    utimesSync(join(root, 'package-lock.json'), later, later);
    await ensurePackages(root);
    expect(calls()).toHaveLength(1);
    writeFileSync(join(root, 'package-lock.json'), '{"lockfileVersion": 3, "name": "changed"}');
    utimesSync(join(root, 'package-lock.json'), later, later);
    await ensurePackages(root);
    expect(calls()).toHaveLength(2);
  });

  it('tells packages that are older than the lock file, and installs nothing for that', async () => {
    fakeNpm();
    await ensurePackages(root);
    expect(isInstalled(root)).toBe(true);
    writeFileSync(join(root, 'package-lock.json'), '{"lockfileVersion": 3, "name": "pulled"}');
    const later = new Date(Date.now() + 60_000);
    utimesSync(join(root, 'package-lock.json'), later, later);
    expect(isInstalled(root)).toBe(false);
    expect(calls()).toHaveLength(1);
  });

  it('is content with what someone installed by hand, but not with an interrupted installation', async () => {
    fakeNpm();
    mkdirSync(join(root, 'node_modules'));
    await ensurePackages(root);
    expect(calls()).toHaveLength(1);
    rmSync(join(root, 'node_modules', '.millrace-installed'));
    await ensurePackages(root);
    expect(calls()).toHaveLength(1);
  });

  it('installs once for several that begin together', async () => {
    fakeNpm('sleep 0.1; mkdir -p node_modules && echo {} > node_modules/.package-lock.json');
    await Promise.all([ensurePackages(root), ensurePackages(root), ensurePackages(root)]);
    expect(calls()).toHaveLength(1);
    expect(existsSync(join(root, '.millrace', 'setup.lock'))).toBe(false);
  });

  it.each([
    ['echo "npm error code ENOTFOUND" >&2; exit 1', /npm error code ENOTFOUND[^]*could not be reached: check the network/],
    ['echo ENOSPC; exit 1', /disk is full/],
    ['echo "something else"; exit 9', /something else[^]*npm ci ended with 9[^]*Try again with "npm ci"/],
  ])('shows the last lines and says what to do: %s', async (script, message) => {
    fakeNpm(script);
    await expect(ensurePackages(root)).rejects.toThrow(message);
    expect(existsSync(join(root, 'node_modules', '.millrace-installed'))).toBe(false);
    fakeNpm();
    await ensurePackages(root);
    expect(calls()).toHaveLength(2);
  });
});

describe('checkNodeVersion', () => {
  it('takes the range that package.json names', () => {
    const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(engines.node).toBe('>=20.12');
    for (const version of ['20.12.0', '20.20.2', '22.99.1', '24.1.0', '26.12.1', '101.0.0'])
      expect(() => checkNodeVersion(version)).not.toThrow();
    for (const version of ['18.20.0', '20.11.1', '8.0.0']) expect(() => checkNodeVersion(version)).toThrow(`this is ${version}`);
  });
});
