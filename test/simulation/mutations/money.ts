import type { Mutation } from './mutation.ts';

/** Mistakes in what calls cost, and in who may still spend. */
export const moneyMutations: readonly Mutation[] = [
  {
    name: 'call-made-without-money',
    file: 'src/flow/spending.ts',
    edits: [
      {
        find: 'return reserved.catch((thrown: unknown) => handBack(tool, thrown)).then(pay);',
        replace: 'return reserved.catch(() => undefined).then(pay);',
      },
    ],
    breaks: 'No money without a reservation: a call for which a budget has no room is made.',
  },
  {
    name: 'lost-block-given-back',
    file: 'src/jobs/budgets/owner-ledger.ts',
    edits: [
      {
        find: 'return withBlock(withSpent(ledger, block.job, block.left), key, undefined);',
        replace: 'return withBlock(ledger, key, undefined);',
      },
    ],
    breaks: 'No money without a reservation: what a killed process had set aside is given back.',
  },
  {
    name: 'blocks-of-others-not-counted',
    file: 'src/jobs/budgets/exchange.ts',
    edits: [
      {
        find: 'const all = plus(spentOf(ledger), setAsideOf(ledger, { without: key }));',
        replace: 'const all = spentOf(ledger);',
      },
      {
        find: 'const own = plus(plus(spentOf(ledger, job), setAsideOf(ledger, { job, without: key })), earlier);',
        replace: 'const own = plus(spentOf(ledger, job), earlier);',
      },
    ],
    breaks: 'A budget is not exceeded: what other processes have set aside is granted once more.',
  },
  {
    name: 'exchange-booked-twice',
    file: 'src/jobs/budgets/exchange.ts',
    edits: [
      {
        find: 'if (block !== undefined && block.exchange >= number) {',
        replace: 'if (block !== undefined && block.exchange > number) {',
      },
    ],
    breaks: 'Each call is booked once: an exchange whose answer was lost is booked again.',
  },
  {
    name: 'spending-not-in-the-manifest',
    file: 'cluster/parameter-server/settle-ledger.ts',
    edits: [{ find: 'ledger = { ...ledger, ...charged };', replace: 'ledger = { ...charged, ...ledger };' }],
    breaks: 'Ledger, manifest and store have the same sum: the manifest lacks what was booked after the last commit.',
  },
];
