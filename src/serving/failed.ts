import { MillraceError } from '../errors.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import { failureOf } from '../flow/run.ts';

/** What a flow's own code, a tool or the policy threw, as an application is told: `failed_precondition` that names the part. */
export function failed(thrown: unknown): MillraceError {
  if (thrown instanceof MillraceError) return thrown;
  const { class: failure, message } = failureOf(thrown);
  return failedAs(failure, message, thrown);
}

/** The error of a flow that ended as this failure. */
export function failedAs(failure: FailureClass, message: string, cause?: unknown): MillraceError {
  return new MillraceError('failed_precondition', `the flow ended without an answer (${FailureClass[failure]}): ${message}`, {
    cause,
    field: 'flow',
  });
}
