/** Both peers are one script; only who runs the flows differs. */
import { afterEach, describe, expect, it } from 'vitest';
import { pytorchCommand } from '../compute/participants.ts';
import { trainPytorch, type PeerLine } from './pytorch.ts';

const python = pytorchCommand();
const SETUP = {
  job: 'bench/train/retail-grpo.yaml',
  data: undefined,
  overrides: ['source.users=40', 'source.tasks=30', 'rounds=3', 'evaluation.every=2'],
};

describe.skipIf(python === undefined)('the peers (skipped where no python has torch)', () => {
  const interrupted = new AbortController();
  afterEach(() => interrupted.abort());

  it('learn the same from the same flows', async () => {
    const train = async (peer: 'python' | 'node') => {
      const lines: PeerLine[] = [];
      const run = await trainPytorch(peer, SETUP, {
        ...{ python: python!.file, env: python!.env ?? {}, threads: 1, signal: interrupted.signal },
        onLine: (line) => lines.push(line),
      });
      expect(run.environmentSeconds).toBeGreaterThan(0);
      expect(run.run.system).toBe(`pytorch-${peer}`);
      return lines.map((line) => ({ ...line, seconds: 0, environmentSeconds: 0 }));
    };
    const [own, other] = [await train('python'), await train('node')];
    expect(own).toEqual(other);
    expect(own.filter((line) => 'success' in line)).toHaveLength(3);
    expect(own.map((line) => ('round' in line ? line.round : 'start'))).toEqual(['start', 0, 1, 2, 3]);
  }, 120_000);
});
