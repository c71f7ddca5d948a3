/** Cuts groups into pieces small enough to compute between two turns of the event loop. */
import type { PolicyLearner, TokensOf } from '../kind.ts';
import type { GroupTokens } from './group-tokens.ts';

/** The tokens of a piece as a policy kind sees them: without what the loss needs. */
export function referred<P>({ payload, temperature, tokens, isPart }: GroupTokens<P>): TokensOf<P> {
  return { payload, temperature, places: tokens.map(({ place }) => place), isPart };
}

/**
 * Takes pieces off the front of `queue`: as many tokens of the first group as its policy computes together; where it does not say, pieces until
 * `limit` tokens are reached, the last one cut if need be.
 */
export function takePieces<P>(
  queue: GroupTokens<P>[],
  limit: number,
  policy: Pick<PolicyLearner<P>, 'microBatch'> = {},
): GroupTokens<P>[] {
  const [first] = queue;
  if (first && policy.microBatch) return takeUpTo(queue, Math.max(1, policy.microBatch(referred(first))));
  return takeUpTo(queue, limit, true);
}

function takeUpTo<P>(queue: GroupTokens<P>[], limit: number, several = false): GroupTokens<P>[] {
  const taken: GroupTokens<P>[] = [];
  let room = Math.max(1, limit);
  while (room > 0 && queue.length > 0) {
    const piece = queue[0]!;
    if (piece.tokens.length <= room) {
      taken.push(piece);
      queue.shift();
      room -= piece.tokens.length;
      if (!several) break;
      continue;
    }
    // Better to end here than to compute half a group's situations twice, unless the group alone is too large.
    if (taken.length > 0) break;
    taken.push({ ...piece, tokens: piece.tokens.slice(0, room), isPart: true });
    queue[0] = { ...piece, tokens: piece.tokens.slice(room) };
    room = 0;
  }
  return taken;
}
