import type { z } from 'zod';
import type { CorrectionConfig } from './fields.ts';

/** What {@link invariants} looks at; each method has some of it. */
interface Options {
  dualClip?: number | undefined;
  correction?: CorrectionConfig;
}

/** What options allow together, for `superRefine` of a method's schema. Messages complete "got 3, expected …". */
export function invariants(config: Options, context: z.RefinementCtx): void {
  const wrong = (path: string[], input: unknown, message: string): void => {
    context.addIssue({ code: 'custom', path, input, message });
  };
  const { dualClip, correction } = config;
  if (dualClip !== undefined && dualClip <= 1) {
    wrong(['dualClip'], dualClip, 'a number above 1, since at 1 the loss would be constant for every ratio that grows');
  }
  if (correction?.kind === 'mask' && correction.low >= correction.high) {
    wrong(
      ['correction', 'low'],
      correction.low,
      `less than correction.high (${correction.high}), or nothing is left to train on`,
    );
  }
  if (correction?.kind === 'mask' && correction.cap !== undefined) {
    wrong(['correction', 'cap'], correction.cap, 'no cap with kind: mask: a mask has low and high');
  }
  if (correction?.kind === 'none' && correction.cap !== undefined) {
    wrong(['correction', 'cap'], correction.cap, 'no cap with kind: none, which corrects nothing: kind: truncate has a cap');
  }
  if (correction?.kind === 'truncate' && correction.cap !== undefined && correction.cap <= 0) {
    wrong(['correction', 'cap'], correction.cap, 'a number above 0, since every weight would be 0');
  }
}
