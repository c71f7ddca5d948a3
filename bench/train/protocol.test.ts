import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frame, FrameReader, OPERATIONS, readRequest } from './protocol.ts';

/** A request as the trainer writes it. */
const words = (...values: number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);

describe('frames', () => {
  it('come out of a stream as they went in, however it is cut', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 });
    fc.assert(
      fc.property(payloads, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map(frame));
        const reader = new FrameReader();
        const received: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const next = at + cuts[i % cuts.length]!;
          received.push(...reader.push(bytes.subarray(at, next)));
          at = next;
        }
        expect(received.map((payload) => [...payload])).toEqual(sent.map((payload) => [...payload]));
      }),
    );
  });
});

describe('requests', () => {
  it('are an operation and numbers', () => {
    expect(readRequest(words(OPERATIONS.train, 16, 7, 8))).toEqual({
      ...{ kind: 'reset', purpose: 'train' },
      ...{ groupSize: 16, tasks: [7, 8] },
    });
    expect(readRequest(words(OPERATIONS.evaluate, 1, 0))).toMatchObject({ purpose: 'evaluate', groupSize: 1, tasks: [0] });
    expect(readRequest(words(OPERATIONS.step, 3, 0, 2))).toEqual({ kind: 'step', actions: Int32Array.of(3, 0, 2) });
    expect(readRequest(words(OPERATIONS.learn, 5))).toEqual({ kind: 'learn', flows: Int32Array.of(5) });
  });

  it('need not lie at a multiple of 4', () => {
    const bytes = Buffer.concat([Buffer.of(0), words(OPERATIONS.step, 1)]);
    expect(readRequest(bytes.subarray(1))).toEqual({ kind: 'step', actions: Int32Array.of(1) });
  });

  it('are refused when they are none', () => {
    expect(() => readRequest(words(9))).toThrow(/operation 9/);
    expect(() => readRequest(new Uint8Array(0))).toThrow(/operation 0/);
  });
});
