import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issueCertificate, makeAuthority, type CertificateSubject, type KeyedCertificate } from './authority.ts';
import type { TlsFiles } from './tls-files.ts';

/** An authority and the files of its certificates in a folder, for tests. */
export class TestAuthority {
  readonly folder: string;
  readonly authority: KeyedCertificate;

  private constructor(folder: string, authority: KeyedCertificate) {
    this.folder = folder;
    this.authority = authority;
  }

  static async make(folder: string, cluster = 'test'): Promise<TestAuthority> {
    return new TestAuthority(folder, await makeAuthority(cluster));
  }

  /** Writes `<name>.pem`, its key and the authority. Default: one of role `name` for 127.0.0.1 and localhost. */
  async issue(name: string, subject: Partial<CertificateSubject> = {}): Promise<TlsFiles> {
    const names = [{ cluster: 'test', role: name, node: `${name}-1` }];
    const { cert, key } = await issueCertificate(this.authority, { names, hosts: ['127.0.0.1', 'localhost'], ...subject });
    return this.write(name, { cert, key });
  }

  /** Writes the files as {@link issue} does. */
  write(name: string, { cert, key }: KeyedCertificate): TlsFiles {
    const path = (suffix: string): string => join(this.folder, `${name}${suffix}`);
    const files = { caFile: path('-ca.pem'), certFile: path('.pem'), keyFile: path('.key') };
    writeFileSync(files.caFile, this.authority.cert);
    writeFileSync(files.certFile, cert);
    writeFileSync(files.keyFile, key);
    return files;
  }
}
