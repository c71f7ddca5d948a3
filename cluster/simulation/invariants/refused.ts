import { GARBAGE } from '../faults/garbage.ts';
import type { Check, Fail } from './check.ts';

/** What cannot be read goes to the DLQ, where people find it: nobody acknowledges it as if it were done. */
export function refusedCheck(fail: Fail): Check {
  return {
    acked({ node, stream, message }) {
      if (message.id.startsWith(GARBAGE))
        fail('unreadable-is-kept', `${node} acknowledges #${message.sequence} of ${stream}, which nobody can read`);
    },
  };
}
