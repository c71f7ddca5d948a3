import { decodeNotice } from '../../../src/jobs/notice.ts';
import { NOTICES } from '../../../src/protocol/names.ts';
import { WEIGHTS_DAMAGED } from '../../jobs/damaged-weights.ts';
import type { Check, Fail } from './check.ts';

/** Weights that somebody needs are there (promise 7): nothing here damages them, so that nobody reports damage. */
export function damageCheck(fail: Fail): Check {
  return {
    written({ bucket, value }) {
      const notice = bucket === NOTICES && value ? decodeNotice(value) : undefined;
      if (notice?.code === WEIGHTS_DAMAGED && notice.resolvedAt === undefined) fail('needed-weights-are-there', notice.message);
    },
  };
}
