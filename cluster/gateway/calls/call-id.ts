import type { Clock } from '../../../src/clock/clock.ts';
import { randomId } from '../../../src/random/id.ts';
import type { Random } from '../../../src/random/random.ts';

/** Id of a call: the time in its first 12 digits, so that ids sort as calls start, and 64 random bits. */
export function newCallId({ clock, random }: { clock: Pick<Clock, 'now'>; random: Random }): string {
  const time = Math.floor(clock.now()).toString(16).padStart(12, '0');
  return `${time}${randomId(random).replaceAll('-', '').slice(-16)}`;
}
