import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestAuthority } from './identity.fixture.ts';
import { readTlsFiles, type TlsFiles } from './tls-files.ts';
import { openTlsIdentity } from './tls-identity.ts';

let folder: string;
let authority: TestAuthority;
let files: TlsFiles;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
  authority = await TestAuthority.make(folder);
  files = await authority.issue('learner');
});
afterEach(() => rmSync(folder, { recursive: true }));

const refused = (given: TlsFiles, now = Date.now()): string => {
  try {
    readTlsFiles(given, now);
  } catch (error) {
    return String((error as Error).message).replaceAll(`${folder}/`, '');
  }
  throw new Error('they were taken');
};

describe('files of a certificate', () => {
  it('are read with the names in it and the time at which it expires', () => {
    const { names, expiresAt } = readTlsFiles(files, Date.now());
    expect(names).toEqual([{ cluster: 'test', role: 'learner', node: 'learner-1' }]);
    expect((expiresAt - Date.now()) / 86_400_000).toBeCloseTo(365, 1);
  });

  it('are refused by the file and what is wrong with it', async () => {
    const other = await TestAuthority.make(folder, 'other');
    const foreign = await other.issue('foreign');
    const empty = join(folder, 'empty');
    writeFileSync(empty, '');
    const broken = join(folder, 'broken');
    writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
    expect(refused({ ...files, caFile: join(folder, 'none') })).toBe('none cannot be read (ENOENT); tls.caFile names it.');
    expect(refused({ ...files, certFile: empty })).toBe('empty holds no certificate in PEM; tls.certFile names it.');
    expect(refused({ ...files, certFile: broken })).toMatch(/^broken holds a certificate that cannot be read/);
    expect(refused({ ...files, keyFile: empty })).toMatch(/^empty holds no private key/);
    expect(refused({ ...files, keyFile: foreign.keyFile })).toMatch(
      /^foreign\.key is not the key of the certificate in learner\.pem/,
    );
    expect(refused({ ...files, caFile: foreign.caFile })).toMatch(
      /^learner\.pem is not from an authority in foreign-ca\.pem \(its issuer is CN=millrace test\)/,
    );
    expect(refused(files, Date.now() + 366 * 86_400_000)).toMatch(/^learner\.pem has expired \(/);
    expect(refused(files, Date.now() - 86_400_000)).toMatch(/is not valid before .*; is the clock right\?/);
  });
});

describe('an identity', () => {
  it('takes files that change, and says so to who asked', async () => {
    const identity = openTlsIdentity(files);
    const before = identity.current;
    const told: unknown[] = [];
    const end = identity.subscribe((material) => told.push(material));
    identity.refresh();
    expect(told).toEqual([]);
    await authority.issue('learner');
    identity.refresh();
    expect(identity.current.cert.equals(before.cert)).toBe(false);
    expect(told).toEqual([identity.current]);
    end();
    await authority.issue('learner');
    identity.refresh();
    expect(told).toHaveLength(1);
    identity.close();
  });

  it('keeps what it has while changed files do not go together, and tells of them once', async () => {
    const problems: string[] = [];
    const identity = openTlsIdentity(files, { onProblem: ({ message }) => problems.push(message) });
    const before = identity.current;
    const { keyFile } = await authority.issue('other');
    identity.refresh();
    writeFileSync(files.keyFile, 'half of a k');
    identity.refresh();
    identity.refresh();
    expect([identity.current, problems]).toEqual([before, [expect.stringMatching(/holds no private key/)]]);
    expect(keyFile).not.toBe(files.keyFile);
    identity.close();
  });
});
