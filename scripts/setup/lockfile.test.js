import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { missingPlatforms, problemsOf } from './lockfile.js';

const integrity = `sha512-${'A'.repeat(86)}==`;
const lockOf = (packages) => ({ lockfileVersion: 3, packages: { '': { name: 'x' }, ...packages } });
const one = (entry) => problemsOf(lockOf({ 'node_modules/a': { version: '1.0.0', integrity, ...entry } }));

describe('the lock file', () => {
  it('of this repository is in order', () => {
    const read = (name) => JSON.parse(readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8'));
    expect(problemsOf(read('package-lock.json'), read('package.json').allowScripts)).toEqual([]);
  });

  it('pins every package by its SHA-512', () => {
    expect(one({})).toEqual([]);
    expect(one({ integrity: undefined })).toEqual([expect.stringContaining('node_modules/a has no integrity')]);
    for (const wrong of ['sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=', '', `${integrity} sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=`])
      expect(one({ integrity: wrong })).toEqual([expect.stringContaining('not one SHA-512')]);
    const nested = problemsOf(lockOf({ 'node_modules/a/node_modules/@b/c': { version: '1.0.0' } }));
    expect(nested).toEqual([expect.stringContaining('node_modules/a/node_modules/@b/c has no integrity')]);
  });

  it('exempts what is not downloaded', () => {
    const local = { 'packages/b': { version: '1.0.0' }, 'node_modules/b': { resolved: 'packages/b', link: true } };
    expect(problemsOf(lockOf(local))).toEqual([]);
  });

  it('exempts builds of chdb for other platforms, as long as nobody knows their integrity', () => {
    const where = 'node_modules/@chdb/lib-darwin-x64';
    const foreign = { version: '1.0.0', optional: true, os: ['darwin'], cpu: ['x64'] };
    expect(problemsOf(lockOf({ [where]: foreign }))).toEqual([]);
    expect(problemsOf(lockOf({ [where]: { ...foreign, integrity } }))).toEqual([
      expect.stringContaining('take @chdb/lib-darwin-x64'),
    ]);
    for (const here of [{ os: ['linux'] }, { os: undefined }, { optional: undefined }])
      expect(problemsOf(lockOf({ [where]: { ...foreign, ...here } }))).toEqual([expect.stringContaining('may be installed')]);
  });

  it('takes packages from the registry alone', () => {
    expect(one({ resolved: 'https://registry.npmjs.org/a/-/a-1.0.0.tgz' })).toEqual([]);
    for (const resolved of [
      'git+ssh://git@github.com/a/a.git#1',
      'https://registry.npmjs.org.example/a.tgz',
      'file:a.tgz',
      'http://registry.npmjs.org/a.tgz',
    ])
      expect(one({ resolved })).toEqual([`node_modules/a comes from ${resolved}, not from https://registry.npmjs.org/`]);
  });

  it('has a word on every install script', () => {
    const lock = lockOf({ 'node_modules/a': { version: '1.0.0', integrity, hasInstallScript: true } });
    expect(problemsOf(lock)).toEqual([expect.stringContaining('allowScripts')]);
    expect(problemsOf(lock, { a: false })).toEqual([]);
  });

  it('names the packages of every platform, and knows what they are for', () => {
    const lock = lockOf({
      'node_modules/tool': {
        version: '2.0.0',
        integrity,
        dev: true,
        optionalDependencies: { 'tool-linux-x64-gnu': '2.0.0', 'tool-darwin-arm64': '2.0.0' },
      },
      'node_modules/tool/node_modules/tool-linux-x64-gnu': { version: '2.0.0', integrity, optional: true },
    });
    const added = { version: '2.0.0', dev: true, optional: true, cpu: ['arm64'], os: ['darwin'] };
    expect(missingPlatforms(lock)).toEqual([['node_modules/tool-darwin-arm64', added]]);
    expect(problemsOf(lock)).toEqual([expect.stringContaining('lacks tool-darwin-arm64')]);
  });

  it('is of the version that has integrity everywhere', () => {
    expect(problemsOf({ ...lockOf({}), lockfileVersion: 1 })).toEqual([expect.stringContaining('lockfileVersion is 1')]);
  });
});
