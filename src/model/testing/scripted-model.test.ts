import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../clock/virtual.ts';
import { modelConformance } from '../conformance.ts';
import type { Script } from './script.ts';
import { scriptedModel } from './scripted-model.ts';

modelConformance('a scripted model', async () => {
  let script: Script = [];
  let first = 0;
  const model = scriptedModel(async (call) => {
    const local = { ...call, index: call.index - first };
    return typeof script === 'function' ? script(local) : (script[Math.min(local.index, script.length - 1)] ?? '');
  });
  return {
    model,
    calls: model.calls,
    setScript(next) {
      script = next;
      first = model.calls.length;
    },
    close: async () => undefined,
  };
});

describe('a scripted model', () => {
  const request = { messages: [{ role: 'user' as const, content: 'Go' }] };

  it('gives its replies in order, and the last one again and again', async () => {
    const model = scriptedModel(['one', { text: 'two' }]);
    const texts = [];
    for (let i = 0; i < 3; i++) texts.push((await model.generate(request)).text);
    expect(texts).toEqual(['one', 'two', 'two']);
  });

  it('waits on its clock', async () => {
    const clock = new VirtualClock();
    const model = scriptedModel([{ text: 'slow', latencyMs: 5_000, pieceMs: 1_000, pieceLength: 2 }], { clock });
    const times: number[] = [];
    await clock.run(
      (async () => {
        for await (const event of model.stream(request)) if (event.type === 'text') times.push(clock.monotonic());
      })(),
    );
    expect(times).toEqual([6_000, 7_000]);
  });
});
