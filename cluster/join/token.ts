import { MillraceError } from '../../src/errors.ts';

/** What a token for joining says. */
export interface JoinToken {
  /** Fingerprint of the cluster's authority; see `authorityFingerprint`. */
  authority: string;
  /** 32 random bytes as base64url. */
  secret: string;
}

const FORMAT = /^mrj1\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})$/;

/** The token as one text: `mrj1.<authority>.<secret>`. */
export const formatJoinToken = ({ authority, secret }: JoinToken): string => `mrj1.${authority}.${secret}`;

/** Reads what {@link formatJoinToken} has made. `invalid_argument` for anything else, which is not repeated: it may be a secret. */
export function parseJoinToken(text: string, field: string): JoinToken {
  const match = FORMAT.exec(text.trim());
  if (match !== null) return { authority: match[1]!, secret: match[2]! };
  throw new MillraceError(
    'invalid_argument',
    `${field}: holds no token for joining; expected the line that \`millrace cluster token create\` has printed, mrj1.….….`,
    { field },
  );
}
