import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CASES } from './cases.ts';
import { exportCase } from './export.ts';
import { prove } from './measure.ts';
import { Participant } from './participant.ts';
import { backendCommand, PYTORCH_MISSING, pytorchCommand } from './participants.ts';

const peer = pytorchCommand();
if (peer === undefined) console.warn(`Not run: the comparison of the networks with PyTorch's. ${PYTORCH_MISSING}.`);

/** Loss, gradients, scores and updates of both sides, at the smallest size of each policy. */
describe.skipIf(peer === undefined)('the networks in PyTorch', { timeout: 120_000 }, () => {
  let participants: Participant[] = [];
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-bench-test-'));
    participants = [peer!, backendCommand('wasm')].map((command) => new Participant(command));
    for (const participant of participants) expect(await participant.hello()).toHaveProperty('ready');
  }, 120_000);
  afterAll(async () => {
    await Promise.all(participants.map((participant) => participant.stop()));
    rmSync(folder, { recursive: true });
  });

  it.each(['bag', 'gru', 'transformer'])('compute what ours compute (%s)', async (policy) => {
    const each = CASES.find((one) => one.policy === policy)!;
    const own = join(folder, policy);
    mkdirSync(own);
    exportCase(each, own);
    await prove(participants, each, own);
    const [first, second] = await Promise.all(participants.map((participant) => participant.load(CASES.indexOf(each), own)));
    // Not because there is nothing to compare.
    expect(Object.values(first!.norms).every((norm) => norm > 0)).toBe(true);
    expect(first!.lossAfter).toBeLessThan(first!.loss);
    expect(second!.loss).toBeCloseTo(first!.loss, 5);
  });
});
