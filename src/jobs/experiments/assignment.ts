/** The two sides of an experiment: the policy that is served, and the one that may take its place. */
export const ARMS = ['champion', 'candidate'] as const;

/** One of {@link ARMS}. */
export type Arm = (typeof ARMS)[number];

/** Characters of a {@link Assignment.unit}. */
export const UNIT_LENGTH = 8;

/** Where a sticky key belongs in an experiment. */
export interface Assignment {
  arm: Arm;
  /** Stands for the key, so that none is kept: {@link UNIT_LENGTH} characters of base64url, 48 bits of its digest. */
  unit: string;
}

/**
 * The arm of a sticky key. It follows from the digest alone, so that a user or session always meets the same policy, on whichever coordinator.
 *
 * @param share - of the keys that get the candidate: [0, 1]
 * @param digest - SHA-256 of the experiment's id and the key: other experiments divide the keys in another way
 */
export function assignmentOf(share: number, digest: Uint8Array): Assignment {
  const bytes = Buffer.from(digest);
  const draw = bytes.readUIntBE(0, 6) / 2 ** 48;
  return { arm: draw < share ? 'candidate' : 'champion', unit: bytes.subarray(6, 12).toString('base64url') };
}
