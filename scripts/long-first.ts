// The order in which vitest begins files: on a fresh clone it knows no durations and would go by size.
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest in spite of its size, much of it waiting. Begun last, one of these would run on while the other worker is idle. */
const LONG = [
  'kills',
  'tune',
  'budget-kills',
  'checkpoints',
  'train',
  'worker-lost',
  'code',
  'up',
  'invariants',
  'recreation',
  'replay',
  'start',
  'ingest-chaos',
  'ingest',
  'simulation',
].map((name) => `test/${name}.test.ts`);

/** Begins the files in {@link LONG} before the others of their group, which keep their order. */
export default class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.indexOf(relative(this.ctx.config.root, moduleId));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
