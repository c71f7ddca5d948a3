/** Cuts groups into pieces small enough to compute between two turns of the event loop. */
import type { ObservationBatch } from '../planner/observation-policy.ts';
import type { Decision } from './decisions.ts';

/** Decisions of one group, or a part of them, with what they refer to. */
export interface Piece {
  batch: ObservationBatch;
  temperature: number;
  /** `observation` is an index into `batch.observations`. */
  decisions: Decision[];
}

/** Takes pieces off the front of `queue` until `limit` decisions are reached, cutting the last one if need be. */
export function takePieces(queue: Piece[], limit: number): Piece[] {
  const taken: Piece[] = [];
  let room = Math.max(1, limit);
  while (room > 0 && queue.length > 0) {
    const piece = queue[0]!;
    if (piece.decisions.length <= room) {
      taken.push(piece);
      queue.shift();
      room -= piece.decisions.length;
      continue;
    }
    // Better to end here than to compute half a group's observations twice, unless the group alone is too large.
    if (taken.length > 0) break;
    taken.push(part(piece, piece.decisions.slice(0, room)));
    queue[0] = { ...piece, decisions: piece.decisions.slice(room) };
    room = 0;
  }
  return taken;
}

/** A piece with only the observations that its decisions refer to. */
function part(piece: Piece, decisions: Decision[]): Piece {
  const place = new Map<number, number>();
  const observations: Uint8Array[] = [];
  const moved = decisions.map((decision) => {
    let index = place.get(decision.observation);
    if (index === undefined) {
      index = observations.length;
      place.set(decision.observation, index);
      observations.push(piece.batch.observations[decision.observation]!);
    }
    return { ...decision, observation: index };
  });
  return { ...piece, batch: { texts: piece.batch.texts, observations }, decisions: moved };
}
