import { expect, it } from 'vitest';
import { jobConfigSchema } from '../config/job.ts';
import type { EvaluationRecord } from './record.ts';
import { bestCheckpoint, droppedVersions, keptVersions } from './kept-checkpoints.ts';

const checkpoint = (version: number) => ({ version, digest: 'a'.repeat(64), bytes: 1, at: version });

/** @param scores - successes of 10 by version; one that is negative was not judged */
function job(written: number[], scores: Record<number, number>, more: { keep?: number; every?: number } = {}) {
  const { keep = 2, every = 10 } = more;
  const evaluations = Object.entries(scores).map<EvaluationRecord>(([version, successes]) => ({
    ...{ name: 'trained', policyVersion: Number(version), tasks: 10, successes: Math.max(0, successes) },
    ...{ failed: successes < 0 ? 10 : 0, meanReward: 0, trajectories: 0, trainSeconds: 0, meanSteps: 0, failures: {} },
    ...{ metrics: {}, types: {} },
  }));
  const config = jobConfigSchema.parse({ name: 'a', flow: 'a', checkpoint: { keep }, evaluation: { every } });
  return { config, checkpoints: written.map(checkpoint), evaluations };
}

const kept = (...given: Parameters<typeof job>): number[] => [...keptVersions(job(...given))].sort((a, b) => a - b);

it('keeps the best by held-out success, and the newest', () => {
  expect(kept([10, 20, 30, 40, 50], { 10: 9, 20: 3, 30: 8, 40: 1, 50: 0 })).toEqual([10, 30, 50]);
  expect(droppedVersions(job([10, 20, 30, 40, 50], { 10: 9, 20: 3, 30: 8, 40: 1, 50: 0 }))).toEqual([20, 40]);
});

it('keeps of equal ones the newer, and what was not judged behind all that was', () => {
  expect(kept([10, 20, 30, 40], { 10: 5, 20: 5, 30: 5, 40: 0 })).toEqual([20, 30, 40]);
  expect(kept([10, 20, 30, 40], { 10: 1, 20: 1, 30: -1, 40: -1 })).toEqual([10, 20, 40]);
});

it('fills the places with the newest where nothing was measured', () => {
  expect(kept([10, 20, 30, 40, 50], {}, { every: 0 })).toEqual([40, 50]);
  expect(kept([10, 15, 20, 25], { 10: 4, 20: 2 }, { keep: 3 })).toEqual([10, 20, 25]);
});

it('keeps what may still be measured', () => {
  expect(kept([10, 20, 25, 30, 37], { 10: 9 }, { keep: 1 })).toEqual([10, 20, 30, 37]);
});

it('keeps the newest that was written where later ones could not be', () => {
  expect(kept([10], { 10: 1, 20: 3, 30: 2 }, { keep: 1 })).toEqual([10, 20, 30]);
});

it('names the best that there is', () => {
  expect(bestCheckpoint(job([10, 20], { 10: 4, 20: 4, 30: 9 }))?.version).toBe(20);
  expect(bestCheckpoint(job([10], {}))).toBeUndefined();
});
