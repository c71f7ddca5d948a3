/** A reward function of one's own: fewer steps a room are better. */
import type { RewardInput } from '../../src/index.ts';

export default function brevity({ task, steps, outcome }: RewardInput<{ rooms: unknown[] }>): number {
  return outcome - steps.filter(({ tool }) => tool !== 'done').length / (8 * task.rooms.length);
}
