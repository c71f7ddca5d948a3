import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MillraceError } from '../errors.ts';
import { Mailbox } from './mailbox.ts';

const never = new AbortController().signal;

describe('Mailbox', () => {
  it('keeps order and capacity under any interleaving', async () => {
    const operations = fc.array(fc.constantFrom('offer', 'put', 'take'), { maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(operations, fc.integer({ min: 1, max: 5 }), async (ops, capacity) => {
        const mailbox = new Mailbox<number>(capacity);
        const accepted: number[] = [];
        const taken: number[] = [];
        const puts: Promise<void>[] = [];
        for (const [i, op] of ops.entries()) {
          if (op === 'offer' && mailbox.offer(i)) accepted.push(i);
          if (op === 'put') {
            puts.push(mailbox.put(i, never));
            accepted.push(i);
          }
          if (op === 'take') {
            const letter = mailbox.take();
            if (letter) taken.push(letter.message);
          }
          expect(mailbox.depth).toBeLessThanOrEqual(capacity);
        }
        for (let letter = mailbox.take(); letter; letter = mailbox.take()) taken.push(letter.message);
        await Promise.all(puts);
        expect(taken).toEqual(accepted);
      }),
    );
  });

  it('keeps the order past the point where it compacts its queue', () => {
    const mailbox = new Mailbox<number>(5000);
    for (let i = 0; i < 5000; i++) mailbox.offer(i);
    for (let i = 0; i < 5000; i++) expect(mailbox.take()).toEqual({ message: i });
    expect(mailbox.take()).toBeUndefined();
  });

  it('lets nobody overtake a sender that waits', async () => {
    const mailbox = new Mailbox<string>(1);
    mailbox.offer('first');
    const waiting = mailbox.put('second', never);
    expect(mailbox.offer('third')).toBe(false);
    expect(mailbox.take()).toEqual({ message: 'first' });
    await waiting;
    expect(mailbox.take()).toEqual({ message: 'second' });
  });

  it('drops a waiting message whose sender gives up', async () => {
    const mailbox = new Mailbox<string>(1);
    mailbox.offer('first');
    const abort = new AbortController();
    const waiting = mailbox.put('second', abort.signal);
    abort.abort(new MillraceError('resource_exhausted', 'too long'));
    await expect(waiting).rejects.toMatchObject({ code: 'resource_exhausted' });
    mailbox.take();
    expect(mailbox.take()).toBeUndefined();
  });

  it('returns what was left when closed and refuses those that wait', async () => {
    const mailbox = new Mailbox<string>(1);
    mailbox.offer('first');
    const waiting = mailbox.put('second', never);
    expect(mailbox.close(new MillraceError('unavailable', 'gone'))).toEqual(['first']);
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    expect(mailbox.offer('third')).toBe(false);
    await expect(mailbox.put('third', never)).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('refuses a capacity below one', () => {
    expect(() => new Mailbox(0)).toThrow(/mailboxCapacity/);
  });
});
