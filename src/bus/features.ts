import { MillraceError } from '../errors.ts';

/** Oldest nats-server that everything in src/bus works on. */
const OLDEST_SERVER = '2.9.0';

/**
 * Since which server version a feature exists. An older server drops unknown fields of a stream's configuration
 * without an error, so nothing may be asked of a server before this table was consulted.
 */
export const FEATURES = {
  /** Reading a stored message without base64, from any replica. */
  directGet: '2.9.0',
  /** Several filter subjects on one consumer. */
  filterSubjects: '2.10.0',
  /** Free text on streams and consumers. */
  metadata: '2.10.0',
  /** Reasons on a terminated message reach its advisory. */
  termReason: '2.10.4',
  /** A life of its own for each message (`allow_msg_ttl`). */
  messageTtl: '2.11.0',
  /** A marker message when a value expires, so that watchers see expiry at once. */
  deleteMarkers: '2.11.0',
  /** Many messages all or none. */
  atomicBatch: '2.12.0',
} as const satisfies Record<string, string>;

/** A feature of {@link FEATURES}. */
export type Feature = keyof typeof FEATURES;

function parts(version: string): [number, number, number] {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  if (match === null)
    throw new MillraceError('failed_precondition', `cannot read the server version ${JSON.stringify(version)}`, {
      field: 'version',
    });
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** Negative when `a` is older than `b`, 0 when equal; what follows the third number is not compared. */
export function compareVersions(a: string, b: string): number {
  const [a0, a1, a2] = parts(a);
  const [b0, b1, b2] = parts(b);
  return a0 - b0 || a1 - b1 || a2 - b2;
}

/** Whether a server of this version has the feature. */
export function hasFeature(serverVersion: string, feature: Feature): boolean {
  return compareVersions(serverVersion, FEATURES[feature]) >= 0;
}

/** Throws `failed_precondition` (field `version`) when the server is older than {@link OLDEST_SERVER}. */
export function checkServerVersion(serverVersion: string): void {
  if (compareVersions(serverVersion, OLDEST_SERVER) < 0) {
    throw new MillraceError('failed_precondition', `nats-server ${serverVersion} is too old; install ${OLDEST_SERVER} or newer`, {
      field: 'version',
    });
  }
}
