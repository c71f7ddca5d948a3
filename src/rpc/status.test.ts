import { Metadata, status as Status } from '@grpc/grpc-js';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES, MillraceError } from '../errors.ts';
import { BadRequestSchema, ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.ts';
import { StatusSchema } from '../gen/google/rpc/status_pb.ts';
import { errorFromStatus, statusFrom } from './status.ts';

/** Letters, what percent-encoding is about, several bytes, half a surrogate pair. */
const text = fc.string({ unit: fc.constantFrom('a', '%', ':', ' ', '\n', 'é', '漢', '😀', '\ud800', '\udfff'), maxLength: 30 });

describe('errors and statuses', () => {
  it('bring code, message, field and retryable to the other side, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ERROR_CODES),
        text,
        fc.option(text, { nil: undefined }),
        fc.boolean(),
        (code, message, field, retryable) => {
          const error = new MillraceError(code, message, { retryable, ...(field !== undefined && { field }) });
          const status = statusFrom(error);
          expect(() => encodeURI(status.details)).not.toThrow();
          const received = errorFromStatus(Object.assign(new Error(), status), 'host:1');
          const expected = message.replace(/\p{Surrogate}/gu, '\ufffd');
          expect(received).toMatchObject({ code, message: expected, retryable });
          expect(received.field).toBe(field?.replace(/\p{Surrogate}/gu, '\ufffd'));
        },
      ),
    );
  });

  it('shows the field to clients that know nothing of our metadata', () => {
    const status = statusFrom(new MillraceError('invalid_argument', 'must be positive', { field: 'page_size' }));
    expect(status).toMatchObject({ code: Status.INVALID_ARGUMENT, details: 'page_size: must be positive' });
  });

  it('names reason and field in details that clients of every language read', () => {
    const thrown = new MillraceError('failed_precondition', 'has no budget', { field: 'owner', reason: 'BUDGET_EXHAUSTED' });
    const { code, details, metadata } = statusFrom(thrown);
    const status = fromBinary(StatusSchema, metadata.get('grpc-status-details-bin')[0] as Buffer);
    expect(status).toMatchObject({ code, message: details });
    expect(status.details.map((any) => any.typeUrl)).toEqual([
      'type.googleapis.com/google.rpc.ErrorInfo',
      'type.googleapis.com/google.rpc.BadRequest',
    ]);
    expect(anyUnpack(status.details[0]!, ErrorInfoSchema)).toMatchObject({
      reason: 'BUDGET_EXHAUSTED',
      domain: 'millrace',
      metadata: { retryable: 'false' },
    });
    expect(anyUnpack(status.details[1]!, BadRequestSchema)?.fieldViolations).toMatchObject([
      { field: 'owner', description: 'has no budget' },
    ]);
    expect(errorFromStatus(Object.assign(new Error(), { code, details, metadata }), 'h:1').reason).toBe('BUDGET_EXHAUSTED');
  });

  it('takes details that are damaged, or of somebody else, for a failure on the way', () => {
    for (const bytes of [Buffer.from([255, 255]), Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code: 3 })))]) {
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', bytes);
      const failure = Object.assign(new Error(), { code: Status.INVALID_ARGUMENT, details: 'no', metadata });
      expect(errorFromStatus(failure, 'h:1')).toMatchObject({ code: 'invalid_argument', message: 'no (from h:1)' });
    }
  });

  it('wraps what is no MillraceError as internal', () => {
    expect(statusFrom(new TypeError('oops'))).toMatchObject({ code: Status.INTERNAL, details: 'oops' });
    expect(statusFrom('text')).toMatchObject({ code: Status.INTERNAL, details: 'text' });
  });

  it('cuts messages that no header could carry', () => {
    expect(statusFrom(new MillraceError('internal', 'x'.repeat(1e6))).details.length).toBeLessThan(2100);
  });

  it('explains failures of the transport', () => {
    const details = 'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:9. Resolution note: ';
    const failure = Object.assign(new Error(), { code: Status.UNAVAILABLE, details, metadata: new Metadata() });
    expect(errorFromStatus(failure, '127.0.0.1:9')).toMatchObject({
      code: 'unavailable',
      message: 'Nothing answers at 127.0.0.1:9 (connect ECONNREFUSED 127.0.0.1:9). Is the cluster running?',
      retryable: true,
    });
  });

  it('knows the statuses that have no code of ours', () => {
    const failure = (code: Status) => Object.assign(new Error(), { code, details: '', metadata: new Metadata() });
    expect(errorFromStatus(failure(Status.UNKNOWN), 'h:1').code).toBe('internal');
    expect(errorFromStatus(failure(Status.OUT_OF_RANGE), 'h:1').code).toBe('invalid_argument');
  });
});
