import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { runChaos } from '../bench/ingest-chaos/chaos.ts';
import { syntheticTemplates } from '../bench/load/templates.ts';

let folder: string | undefined;
afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

it('every accepted trajectory is in the store exactly once, whoever is killed', async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-chaos-'));
  const result = await runChaos({
    folder,
    forMs: 22_000,
    killEveryMs: 5_000,
    stepsPerSecond: 3_000,
    generators: 2,
    templates: syntheticTemplates(8),
    seed: 1,
    say: () => {},
    signal: new AbortController().signal,
  });
  const { verdict } = result;
  expect(result.killsOfStore).toBeGreaterThanOrEqual(1);
  expect(result.killsOfGenerators).toBeGreaterThanOrEqual(1);
  expect(verdict.acceptedTrajectories).toBeGreaterThan(500);
  expect(verdict).toMatchObject({ lostTrajectories: 0, lostSteps: 0, duplicatedTrajectories: 0, duplicatedSteps: 0 });
  expect(result.deadLetters).toBe(0);
});
