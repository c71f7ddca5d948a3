import type { Credential } from '../gen/millrace/v1/access_pb.ts';
import type { AdminService } from '../gen/millrace/v1/admin_pb.ts';
import type { ServiceClient } from '../rpc/client.ts';
import type { CallOptions } from '../rpc/options.ts';
import { answered } from './answered.ts';

/** A credential with its token, which the cluster tells once. */
export interface IssuedCredential {
  credential: Credential;
  token: string;
}

/** Options of {@link CredentialsClient.create}. */
export interface NewCredentialOptions extends CallOptions {
  /** Owner of what its holder makes. Default: the name. */
  owner?: string | undefined;
  /** 60 to 31_622_400 (366 days). Default: 30 days. */
  ttlSeconds?: number | undefined;
}

/** Options of {@link CredentialsClient.rotate}. */
export interface RotateOptions extends CallOptions {
  /** How long the token before is still taken, 0 to 604_800 (7 days). Default 0. */
  overlapSeconds?: number | undefined;
  /** From now, as in {@link NewCredentialOptions}. Default: its end stays. */
  ttlSeconds?: number | undefined;
}

/** Who may call the cluster (docs/security.md). All of it takes scope admin. */
export interface CredentialsClient {
  /** `already_exists` unless the one of that name has expired or was revoked. Scopes: admin, train, serve, read, metrics. */
  create(name: string, scopes: readonly string[], options?: NewCredentialOptions): Promise<IssuedCredential>;
  /** By name. */
  list(options?: CallOptions): Promise<Credential[]>;
  /** `not_found` when there is none of that name. */
  revoke(name: string, options?: CallOptions): Promise<Credential>;
  /** Replaces its token. `failed_precondition` when it was revoked. */
  rotate(name: string, options?: RotateOptions): Promise<IssuedCredential>;
}

const seconds = (value: number | undefined): { seconds: bigint } | undefined =>
  value === undefined ? undefined : { seconds: BigInt(value) };

/** The credentials of a cluster. */
export function credentialsClient(admin: ServiceClient<typeof AdminService>): CredentialsClient {
  const issued = async (answer: Promise<{ credential?: Credential | undefined; token: string }>): Promise<IssuedCredential> => {
    const { credential, token } = await answer;
    return { credential: answered(credential, 'a credential'), token };
  };
  return {
    create(name, scopes, { owner = '', ttlSeconds, ...options } = {}) {
      const ttl = seconds(ttlSeconds);
      return issued(admin.createCredential({ name, owner, scopes: [...scopes], ...(ttl && { ttl }) }, options));
    },
    list: async (options) => (await admin.listCredentials({}, options)).credentials,
    revoke: async (name, options) => answered((await admin.revokeCredential({ name }, options)).credential, 'a credential'),
    rotate(name, { overlapSeconds, ttlSeconds, ...options } = {}) {
      const [overlap, ttl] = [seconds(overlapSeconds), seconds(ttlSeconds)];
      return issued(admin.rotateCredential({ name, ...(overlap && { overlap }), ...(ttl && { ttl }) }, options));
    },
  };
}
