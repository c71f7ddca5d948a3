import { MillraceError } from '../errors.ts';
import { decodeExperience } from '../policy/experience.ts';
import type { RecordedDecision, SituationTable } from '../policy/kind.ts';
import { describe } from './failure.ts';

/**
 * The bytes of a group's experience, or what is wrong with them: a kind brings its own encoding, and what contradicts itself would stop the
 * trainer of the job, which is given it again and again.
 */
export function groupExperience(
  table: SituationTable,
  members: readonly (readonly RecordedDecision[])[],
  temperature: number,
): { bytes: Uint8Array } | { problem: string } {
  try {
    const bytes = table.encode(members, temperature);
    const { trajectoryLengths } = decodeExperience(bytes);
    const decided = members.map(({ length }) => length);
    if (decided.join() === trajectoryLengths.join()) return { bytes };
    return { problem: `encode gave trajectories of ${trajectoryLengths.join()} decisions for ${decided.join()}` };
  } catch (thrown) {
    return { problem: `encode: ${thrown instanceof MillraceError ? thrown.message : describe(thrown)}` };
  }
}
