import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  authorityFingerprint,
  CERTIFICATE_DAYS,
  issueCertificate,
  makeAuthority,
  makeRequest,
  signRequest,
  type KeyedCertificate,
} from './authority.ts';
import { peerNames } from './peer-name.ts';

const NAME = { cluster: 'north', role: 'rollout', node: 'rollout-1' };
let authority: KeyedCertificate;
beforeAll(async () => void (authority = await makeAuthority('north')));

describe('an authority', () => {
  it('issues certificates of its own for roles and hosts', async () => {
    const { cert, key } = await issueCertificate(authority, { names: [NAME], hosts: ['a.example', '10.0.0.7'] });
    const [certificate, ca] = [new X509Certificate(cert), new X509Certificate(authority.cert)];
    expect([ca.ca, certificate.ca]).toEqual([true, false]);
    expect(certificate.checkIssued(ca) && certificate.verify(ca.publicKey)).toBe(true);
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(peerNames(certificate)).toEqual([NAME]);
    expect([certificate.checkHost('a.example'), certificate.checkIP('10.0.0.7')]).toEqual(['a.example', '10.0.0.7']);
    expect([certificate.checkHost('b.example'), certificate.checkIP('10.0.0.8')]).toEqual([undefined, undefined]);
    const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
    expect(Math.abs(days - CERTIFICATE_DAYS)).toBeLessThan(1);
  });

  it('signs the key of a request, and none of the names in it', async () => {
    const { request, key } = await makeRequest('coordinator');
    const certificate = new X509Certificate(await signRequest(authority, request, { names: [NAME], hosts: ['a.example'] }));
    expect(certificate.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect([certificate.subject, certificate.subjectAltName]).toEqual([
      'CN=rollout-1',
      'URI:spiffe://millrace/north/rollout/rollout-1, DNS:a.example',
    ]);
  });

  it('refuses a request that is none, and one that was changed', async () => {
    const subject = { names: [NAME], hosts: [] };
    await expect(signRequest(authority, 'hello', subject)).rejects.toMatchObject({ code: 'invalid_argument', field: 'request' });
    const { request } = await makeRequest('me');
    const bytes = Buffer.from(request.replace(/-----[^-]+-----|\n/g, ''), 'base64');
    bytes[bytes.length - 3]! ^= 1;
    const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await expect(signRequest(authority, changed, subject)).rejects.toMatchObject({ code: 'invalid_argument', field: 'request' });
  });

  it('refuses names that a URI would read otherwise', async () => {
    const issue = (node: string): Promise<unknown> => issueCertificate(authority, { names: [{ ...NAME, node }], hosts: [] });
    for (const node of ['', 'a/coordinator/b', 'a b', '../x', 'a,URI:x', 'ä'])
      await expect(issue(node)).rejects.toMatchObject({ code: 'invalid_argument', field: 'node' });
  });

  it('has a fingerprint of its key that no other has', async () => {
    expect(authorityFingerprint(authority.cert)).toMatch(/^[\w-]{43}$/);
    expect(authorityFingerprint((await makeAuthority('north')).cert)).not.toBe(authorityFingerprint(authority.cert));
  });
});

describe('openssl', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-authority-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('takes the certificates for servers and for clients', async () => {
    const { cert } = await issueCertificate(authority, { names: [NAME], hosts: ['a.example'] });
    writeFileSync(join(folder, 'ca.pem'), authority.cert);
    writeFileSync(join(folder, 'node.pem'), cert);
    for (const purpose of ['sslserver', 'sslclient']) {
      const args = ['verify', '-x509_strict', '-purpose', purpose, '-CAfile', 'ca.pem', 'node.pem'];
      const program = 'openssl';
      expect(execFileSync(program, args, { cwd: folder, encoding: 'utf8' })).toBe('node.pem: OK\n');
    }
  });
});
