import { MillraceError, type ErrorCode } from '../../errors.ts';
import type { S3Place } from './address.ts';

/** What the library's errors have. */
interface S3Failure {
  name?: string;
  message?: string;
  code?: string;
  $metadata?: { httpStatusCode?: number };
}

const DENIED = ['AccessDenied', 'Forbidden', 'AllAccessDisabled', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', '403'];
const NO_CREDENTIALS = ['CredentialsProviderError', 'ExpiredToken', 'InvalidToken', 'TokenRefreshRequired'];
const WRONG_REGION = ['PermanentRedirect', 'AuthorizationHeaderMalformed', 'IllegalLocationConstraintException'];

/** Whether the store says that it has no such object. */
export function isNoSuchKey(thrown: unknown): boolean {
  const { name } = thrown as S3Failure;
  return name === 'NoSuchKey' || name === 'NotFound' || (name !== 'NoSuchBucket' && statusOf(thrown) === 404);
}

function statusOf(thrown: unknown): number | undefined {
  return (thrown as S3Failure).$metadata?.httpStatusCode;
}

/** An error of the store in our words. @param what - what was tried, e.g. `artifact abc cannot be read` */
export function s3Error(thrown: unknown, { bucket, prefix }: S3Place, what: string): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const { name = '', message = '', code: errno = '' } = thrown as S3Failure;
  const status = statusOf(thrown);
  const where = `s3://${bucket}/${prefix}`;
  const failed = (code: ErrorCode, advice: string): MillraceError => {
    const said = [name, message].filter((part) => part !== '' && part !== 'Error').join(': ') || errno;
    const retryable = code === 'unavailable' || code === 'deadline_exceeded';
    // The library's error has the whole request in it, with the id of the credentials: that is for no log.
    return new MillraceError(code, `${where}: ${what}: ${advice} (${said})`, {
      cause: new Error(said),
      field: 'artifacts.url',
      retryable,
    });
  };
  if (name === 'NoSuchBucket')
    return failed('failed_precondition', `there is no bucket "${bucket}"; create it, or correct artifacts.url`);
  if (NO_CREDENTIALS.includes(name)) {
    const variables = 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE';
    return failed('unauthenticated', `there are no valid credentials; set ${variables} in the environment of every node`);
  }
  if (DENIED.includes(name) || status === 403 || status === 401) {
    const needed =
      's3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload on the prefix, s3:ListBucket on the bucket';
    return failed('permission_denied', `the credentials do not allow it; they need ${needed}`);
  }
  if (WRONG_REGION.includes(name) || status === 301)
    return failed('failed_precondition', 'the bucket is in another region; set artifacts.region');
  if (/Timeout/i.test(name) || /TIMEDOUT/.test(errno)) return failed('deadline_exceeded', 'the store did not answer in time');
  if (status === 501) return failed('unimplemented', 'the store does not do that');
  if (status === undefined || status >= 500 || status === 429 || status === 503)
    return failed('unavailable', 'the store cannot be reached, or cannot answer now');
  return failed('internal', `the store refused it with status ${status}`);
}
