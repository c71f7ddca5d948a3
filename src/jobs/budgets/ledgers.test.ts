import { expect, it } from 'vitest';
import { connectMemory } from '../../bus/memory/memory-bus.ts';
import { systemClock } from '../../clock/system.ts';
import { VirtualClock } from '../../clock/virtual.ts';
import { memoryBus } from '../../protocol/memory.ts';
import { NOTHING } from '../../budget/amount.ts';
import { BUDGETS } from '../../protocol/names.ts';
import { budgetLedgerConformance } from './conformance.ts';
import { KvLedger } from './kv-ledger.ts';
import { MemoryLedger } from './memory-ledger.ts';
import { withSpent } from './owner-ledger.ts';

budgetLedgerConformance('memory', () => {
  const ledger = new MemoryLedger();
  return Promise.resolve({ ledgers: [ledger, ledger], run: (work) => work, stop: () => Promise.resolve() });
});

budgetLedgerConformance('bucket', () => {
  const clock = new VirtualClock();
  const { server } = memoryBus({ clock });
  const ledger = () => new KvLedger(connectMemory(server).kv(BUDGETS), clock);
  return Promise.resolve({
    ledgers: [ledger(), ledger()],
    run: (work) => clock.run(work),
    stop: () => Promise.resolve(),
  });
});

it('says which entry cannot be read, and lists and watches the others', async () => {
  const bus = memoryBus({ clock: systemClock });
  const kv = bus.kv(BUDGETS);
  const ledger = new KvLedger(kv, systemClock);
  await ledger.change('ann', '2026-11', (before) => withSpent(before, 'job', { microDollars: 1, tokens: 0 }));
  await kv.put('ledger.2026-11.o6262', new TextEncoder().encode('{"jobs":{"a":{"spent":{"microDollars":-1}}}}'));
  expect((await ledger.list('2026-11')).map(({ owner }) => owner)).toEqual(['ann']);
  await expect(ledger.read('bb', '2026-11')).rejects.toMatchObject({
    code: 'data_loss',
    message: expect.stringMatching(
      /^the ledger of owner "bb" for 2026-11 cannot be read: jobs\.a\.spent\.microDollars: /,
    ) as string,
  });
  await kv.put('limit.o6262', new TextEncoder().encode('seven'));
  expect(await ledger.limits()).toEqual({});
  await kv.put('settings', new TextEncoder().encode('{}'));
  await expect(ledger.settings()).rejects.toMatchObject({ code: 'data_loss' });
  await kv.put('ledger.2026-11.o6363', new TextEncoder().encode('{"format":2,"jobs":[]}'));
  await expect(ledger.read('cc', '2026-11')).rejects.toMatchObject({
    code: 'failed_precondition',
    message: expect.stringMatching(/newer version of Millrace wrote it \(format 2; this version reads 1\): upgrade/) as string,
  });
  for (const [torn, reason] of [
    ['{"format":1,"jobs":{"a"', /is not JSON/],
    ['[]', /cannot be read/],
    ['null', /cannot be read/],
    ['{"format":1,"jobs":{},"blocks":{"n/a":{"job":"a","holder":"n","left":{"microDollars":"7"},"exchange":1}}}', /blocks\.n/],
    ['{"format":1,"jobs":{"a":{"spent":{"microDollars":1e300}}}}', /jobs\.a\.spent\.microDollars/],
  ] as const) {
    await kv.put('ledger.2026-11.o6464', new TextEncoder().encode(torn));
    await expect(ledger.read('dd', '2026-11')).rejects.toMatchObject({
      code: 'data_loss',
      message: expect.stringMatching(reason) as string,
    });
    await expect(ledger.change('dd', '2026-11', (before) => withSpent(before, 'job', NOTHING))).rejects.toThrow(reason);
  }
  const seen: string[] = [];
  (await ledger.watch(({ owner }) => void seen.push(owner)))();
  expect(seen).toEqual(['ann']);
});
