import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../gen/google/rpc/status_pb.ts';
import type { MillraceError } from '../errors.ts';

/** Trailing metadata: a google.rpc.Status, as clients in every language read it. */
export const DETAILS_KEY = 'grpc-status-details-bin';
/** Domain of the reasons in our ErrorInfo. */
const ERROR_DOMAIN = 'millrace';

/** A description repeats the message, and both travel in headers. */
const LONGEST_DESCRIPTION = 400;

/** What a google.rpc.Status tells of an error besides code and message. */
export interface ErrorDetails {
  /** See `MillraceError.reason`. */
  reason: string;
  retryable: boolean;
  field: string | undefined;
}

/**
 * An error as a google.rpc.Status: an ErrorInfo with its reason and whether to try again, and a BadRequest that names the field, where there is one.
 *
 * @param status - code and text that the call ends with
 */
export function encodeDetails(
  { reason, retryable, message }: Pick<MillraceError, 'reason' | 'retryable' | 'message'>,
  { code, details, field }: { code: number; details: string; field: string | undefined },
): Buffer {
  const info = create(ErrorInfoSchema, { reason, domain: ERROR_DOMAIN, metadata: { retryable: String(retryable) } });
  const description = message.slice(0, LONGEST_DESCRIPTION).toWellFormed();
  const violations = field === undefined ? [] : [create(BadRequestSchema, { fieldViolations: [{ field, description }] })];
  const status = create(StatusSchema, {
    code,
    message: details,
    details: [anyPack(ErrorInfoSchema, info), ...violations.map((violation) => anyPack(BadRequestSchema, violation))],
  });
  return Buffer.from(toBinary(StatusSchema, status));
}

/** Reads what {@link encodeDetails} wrote; undefined for what is damaged, or is not from Millrace. */
export function decodeDetails(bytes: Uint8Array): ErrorDetails | undefined {
  try {
    const { details } = fromBinary(StatusSchema, bytes);
    const info = details.map((any) => anyUnpack(any, ErrorInfoSchema)).find((found) => found?.domain === ERROR_DOMAIN);
    const request = details.map((any) => anyUnpack(any, BadRequestSchema)).find((found) => found !== undefined);
    if (info === undefined) return undefined;
    return {
      reason: info.reason,
      retryable: info.metadata['retryable'] === 'true',
      field: request?.fieldViolations[0]?.field,
    };
  } catch {
    return undefined;
  }
}
