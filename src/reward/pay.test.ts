import { describe, expect, it } from 'vitest';
import type { Amount } from '../budget/amount.ts';
import { BudgetExhausted, type Budget } from '../budget/budget.ts';
import { HandBack, RetryLater } from '../flow/retry-later.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { Judgement } from './judge.ts';
import { payForReward } from './pay.ts';

/** Notes what is done with money; has room for so many micro-dollars. */
function noted(room = Infinity): { budget: Budget; log: string[] } {
  const log: string[] = [];
  const budget: Budget = {
    reserve(max: Amount) {
      if (max.microDollars > room) throw new BudgetExhausted('budget of job a', 'spent $1 of $1');
      log.push(`reserve ${max.microDollars}`);
      return {
        settle: ({ microDollars }) => void log.push(`settle ${microDollars}`),
        forfeit: () => (log.push('forfeit'), max),
      };
    },
    charge: ({ microDollars }) => void log.push(`charge ${microDollars}`),
  };
  return { budget, log };
}

const FREE: Judgement = { outcome: 1, success: true, components: {} };
const PAID: Judgement = { ...FREE, usage: { cost: 0.002, tokensIn: 7 } };
const prices = { models: {}, tools: {} };

describe('payForReward', () => {
  it('sets the largest cost aside and books what the call says', async () => {
    const { budget, log } = noted();
    const { used } = await payForReward({ maxRewardCost: 0.01 }, { budget, prices }, () => {
      log.push('call');
      return Promise.resolve(PAID);
    });
    expect(used).toEqual({ tokensIn: 7, tokensOut: 0, microDollars: 2000 });
    expect(log).toEqual(['reserve 10000', 'call', 'settle 2000']);
  });

  it('books what is said where nothing was set aside, and nothing for a call that is free', async () => {
    const { budget, log } = noted();
    await payForReward({}, { budget, prices }, () => Promise.resolve(PAID));
    await payForReward({}, { budget, prices }, () => Promise.resolve(FREE));
    expect(log).toEqual(['charge 2000']);
  });

  it('books all that was set aside for a call that failed, and says so of the trajectory', async () => {
    const { budget, log } = noted();
    const failure: Judgement = { failure: FailureClass.REWARD_FAILED, message: 'reward: did not answer within 30000 ms' };
    const { used, judgement } = await payForReward({ maxRewardCost: 0.01 }, { budget }, () => Promise.resolve(failure));
    expect([judgement, used.microDollars]).toEqual([failure, 10_000]);
    expect(log).toEqual(['reserve 10000', 'forfeit']);
  });

  it('books nothing for a call that is to be made later', async () => {
    const { budget, log } = noted();
    const later = new RetryLater({ afterMs: 5, reason: 'busy' });
    const paid = payForReward({ maxRewardCost: 0.01 }, { budget }, () => Promise.reject(later));
    await expect(paid).rejects.toBe(later);
    expect(log).toEqual(['reserve 10000', 'settle 0']);
  });

  it('makes no call that the budget has no room for: its group is handed back', async () => {
    const { budget, log } = noted(9_999);
    const paid = payForReward({ maxRewardCost: 0.01 }, { budget }, () => Promise.reject(new Error('must not be called')));
    await expect(paid).rejects.toThrow(HandBack);
    expect(log).toEqual([]);
  });
});
