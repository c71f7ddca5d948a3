/** Cuts groups into pieces small enough to compute between two turns of the event loop. */
import { decisionWeights } from '../../algo/grpo/aggregation.ts';
import type { Aggregation } from '../../algo/config.ts';
import { MillraceError } from '../../errors.ts';
import { tokensFromBytes } from '../codec.ts';
import type { LearnerGroup, ObservationBatch } from '../policy.ts';

/** One decision of a group. */
export interface Decision {
  /** Index into the group's observations. */
  observation: number;
  action: number;
  oldLogProb: number;
  advantage: number;
  weight: number;
}

/** Decisions of one group, or a part of them, with what they refer to. */
export interface Piece {
  batch: ObservationBatch;
  temperature: number;
  /** `observation` is an index into `batch.observations`. */
  decisions: Decision[];
}

/** Weight of every decision of the groups that teach something; groups whose advantages are all 0 are left out. */
export function pieces(groups: readonly LearnerGroup[], aggregation: Aggregation): Piece[] {
  return groups.flatMap((group, index) => {
    const decisions = groupDecisions(group, aggregation, `groups[${index}]`);
    if (decisions.length === 0) return [];
    const { experience } = group;
    const batch = { texts: experience.texts.map(tokensFromBytes), observations: experience.observations };
    return [{ batch, temperature: experience.temperature, decisions }];
  });
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

function groupDecisions(group: LearnerGroup, aggregation: Aggregation, field: string): Decision[] {
  const { experience, advantages, valid } = group;
  const trajectories = experience.decisions;
  const invalid = (message: string) => new MillraceError('invalid_argument', `${field}: ${message}`, { field });
  if (advantages.length !== trajectories.length || valid.length !== trajectories.length) {
    throw invalid(`${trajectories.length} trajectories, but ${advantages.length} advantages and ${valid.length} valid flags`);
  }
  if (!(experience.temperature > 0)) throw invalid(`temperature must be above 0, got ${experience.temperature}`);
  const members = trajectories.map((_, i) => i).filter((i) => valid[i] && trajectories[i]!.observation.length > 0);
  if (members.every((i) => advantages[i] === 0)) return [];
  const weights = decisionWeights(
    members.map((i) => trajectories[i]!.observation.length),
    aggregation,
  );
  let next = 0;
  return members.flatMap((i) => {
    const { observation, action, logProbability } = trajectories[i]!;
    if (action.length !== observation.length || logProbability.length !== observation.length) {
      throw invalid(
        `trajectory ${i} has ${observation.length} observations, but ${action.length} actions and ${logProbability.length} log-probabilities`,
      );
    }
    const advantage = advantages[i]!;
    if (!Number.isFinite(advantage)) throw invalid(`the advantage of trajectory ${i} is ${advantage}`);
    return observation.map((index, t): Decision => {
      if (index >= experience.observations.length) {
        throw invalid(`trajectory ${i} refers to observation ${index} of ${experience.observations.length}`);
      }
      const oldLogProb = logProbability[t]!;
      if (!Number.isFinite(oldLogProb)) throw invalid(`trajectory ${i}: the log-probability of decision ${t} is ${oldLogProb}`);
      return { observation: index, action: action[t]!, oldLogProb, advantage, weight: weights[next++]! };
    });
  });
}
