import { MillraceError } from '../../errors.ts';

/** Where artifacts are in an S3 store. */
export interface S3Address {
  /** `s3://<bucket>[/<prefix>]`. */
  url: string;
  /** Address of a store that is not Amazon's, e.g. `http://127.0.0.1:9000`. Default: Amazon's of the region. */
  endpoint?: string | undefined;
  /** Default: that of the environment (AWS_REGION), else us-east-1. */
  region?: string | undefined;
}

/** A bucket, and what its keys begin with: empty, or ending with a slash. */
export interface S3Place {
  bucket: string;
  prefix: string;
}

/** Reads `s3://<bucket>[/<prefix>]`. `invalid_argument` (field `artifacts.url`) for all else. */
export function parseS3Url(url: string): S3Place {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([\w!.*'()/-]*))?$/.exec(url);
  if (match === null) {
    throw new MillraceError('invalid_argument', `got ${JSON.stringify(url)}, expected s3://<bucket> or s3://<bucket>/<prefix>`, {
      field: 'artifacts.url',
    });
  }
  const path = (match[2] ?? '').replace(/^\/+|\/+$/g, '');
  return { bucket: match[1]!, prefix: path === '' ? '' : `${path}/` };
}
