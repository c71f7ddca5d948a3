import { decodeCredential, encodeCredential, invalidity, type Credential } from '../../src/access/credential.ts';
import type { Bus } from '../../src/bus/bus.ts';
import { MillraceError } from '../../src/errors.ts';
import { CREDENTIALS } from '../../src/protocol/names.ts';
import { newSecret } from '../infra/credentials.ts';

const MAX_CAS_ATTEMPTS = 20;

/** A new bearer token: 32 random bytes that nobody can guess, after `mrc1.`, by which programs that look for leaked secrets know it. */
export const newToken = (): string => `mrc1.${newSecret(32)}`;

type Given = Omit<Credential, 'format'>;

/** The named credentials of the cluster as bucket `credentials` holds them. */
export class CredentialStore {
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  /** By name. What cannot be read lets nobody in, and is left out: `millrace doctor` shows it. */
  async list(): Promise<Credential[]> {
    const kv = this.#bus.kv(CREDENTIALS);
    const found = await Promise.all((await kv.keys()).map((key) => kv.get(key)));
    return found.flatMap((entry) => readable(entry?.value, entry?.key ?? '') ?? []).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** `already_exists` unless the one that has the name lets nobody in any more. */
  async create(credential: Given): Promise<void> {
    const kv = this.#bus.kv(CREDENTIALS);
    const taken = (): MillraceError =>
      new MillraceError('already_exists', `There is a credential "${credential.name}" already; rotate or revoke it.`, {
        field: 'name',
      });
    const entry = await kv.get(credential.name);
    const before = readable(entry?.value, credential.name);
    if (before !== undefined && invalidity(before, credential.createdAt) === undefined) throw taken();
    const value = encodeCredential(credential);
    try {
      await (entry === undefined ? kv.create(credential.name, value) : kv.update(credential.name, value, entry.revision));
    } catch (thrown) {
      const { code } = MillraceError.from(thrown);
      throw code === 'already_exists' || code === 'aborted' ? taken() : thrown;
    }
  }

  /** Compare-and-set: `change` gets the newest and returns the new one. `not_found` when there is none of the name. */
  async update(name: string, change: (credential: Credential) => Given): Promise<Given> {
    const kv = this.#bus.kv(CREDENTIALS);
    for (let attempt = 0; attempt < MAX_CAS_ATTEMPTS; attempt += 1) {
      const entry = await kv.get(name);
      if (!entry) throw missing(name);
      const next = change(decodeCredential(entry.value, name));
      try {
        await kv.update(name, encodeCredential(next), entry.revision);
        return next;
      } catch (thrown) {
        if (MillraceError.from(thrown).code !== 'aborted') throw thrown;
      }
    }
    throw new MillraceError('aborted', `Credential "${name}" kept changing while it was being updated; try again.`);
  }
}

/** The credential in a value; undefined for what is none that this version can read. */
export function readable(value: Uint8Array | undefined, key: string): Credential | undefined {
  try {
    return value && decodeCredential(value, key);
  } catch {
    return undefined;
  }
}

function missing(name: string): MillraceError {
  return new MillraceError('not_found', `There is no credential "${name}". \`millrace credential list\` shows them.`, {
    field: 'name',
  });
}
