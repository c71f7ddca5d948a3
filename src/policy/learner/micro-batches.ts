/** Cuts groups into pieces small enough to compute between two turns of the event loop. */
import type { GroupTokens } from './group-tokens.ts';

/** Takes pieces off the front of `queue` until `limit` tokens are reached, cutting the last one if need be. */
export function takePieces<P>(queue: GroupTokens<P>[], limit: number): GroupTokens<P>[] {
  const taken: GroupTokens<P>[] = [];
  let room = Math.max(1, limit);
  while (room > 0 && queue.length > 0) {
    const piece = queue[0]!;
    if (piece.tokens.length <= room) {
      taken.push(piece);
      queue.shift();
      room -= piece.tokens.length;
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
