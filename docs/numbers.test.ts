import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GROUPS_AT_ONCE, ROLLOUT_WORK } from '../src/protocol/durables.ts';
import { NEEDED_BYTES, SCARCE_BYTES } from '../cluster/infra/disk-room.ts';
import { METHODS } from '../src/algo/registry.ts';
import { jobConfigSchema } from '../src/config/job.ts';
import { BATCH } from '../src/store/batcher.ts';

const MIB = 1024 * 1024;
const read = (page: string): string => readFileSync(new URL(page, import.meta.url), 'utf8').replace(/\s+/g, ' ');
const number = (value: number): string => value.toLocaleString('en-US');

/** What a page says, made from the constants that it is about. */
describe('numbers in the docs', () => {
  it.each([
    ['architecture.md', `${GROUPS_AT_ONCE} groups at a time`],
    ['architecture.md', `batches (${number(BATCH.rows)} rows, ${BATCH.bytes / MIB} MiB or ${BATCH.delayMs / 1000} s)`],
    ['architecture.md', `after at most ${ROLLOUT_WORK.ackWaitMs / 1000} s (ack wait)`],
    ['troubleshooting.md', `less than ${SCARCE_BYTES / MIB} MiB free on the disk`],
    ['errors.md', `less than ${SCARCE_BYTES / MIB} MiB free`],
    ['troubleshooting.md', `how much is needed (${NEEDED_BYTES / MIB} MiB)`],
  ])('%s: %s', (page, text) => {
    expect(read(page)).toContain(text);
  });

  it('learning.md: the defaults of GRPO that it names', () => {
    const { algorithm } = jobConfigSchema.parse({ name: 'j', flow: 'f' });
    expect(algorithm).toMatchObject({ name: 'grpo', epochs: 1, miniBatches: 1, kl: { coefficient: 0 } });
    expect(read('learning.md')).toContain('one gradient step a round');
  });

  it('README.md: how many methods there are', () => {
    expect([Object.keys(METHODS).length, read('../README.md').includes('GRPO and [thirteen other methods]')]).toEqual([14, true]);
  });
});
