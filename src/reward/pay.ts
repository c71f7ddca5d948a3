import { isNothing, NOTHING, type Amount } from '../budget/amount.ts';
import type { Budget, Reservation } from '../budget/budget.ts';
import { microDollars } from '../budget/money.ts';
import { costOf, NO_PRICES } from '../budget/prices.ts';
import { MillraceError } from '../errors.ts';
import type { FlowDefinition } from '../flow/define.ts';
import { HandBack } from '../flow/retry-later.ts';
import type { Spending } from '../flow/spending.ts';
import type { Used } from '../flow/usage.ts';
import type { Judgement } from './judge.ts';

/** A judgement, and what it cost. */
export type PaidJudgement = { judgement: Judgement; used: Used };

/**
 * Makes one call of a flow's reward: reserves `maxRewardCost` of the flow, and books what the call says that it used. One that throws RetryLater
 * costs nothing; one that failed or took too long, of which nobody knows what became of it, all that was reserved. Without a largest cost
 * nothing is reserved. Rejects with {@link HandBack} where the budget has no room: the group is scored again when it has.
 */
export async function payForReward(
  { maxRewardCost }: Pick<FlowDefinition<never, never>, 'maxRewardCost'>,
  { budget, prices = NO_PRICES }: Spending,
  call: () => Promise<Judgement>,
): Promise<PaidJudgement> {
  const max: Amount | undefined =
    maxRewardCost === undefined ? undefined : { microDollars: microDollars(maxRewardCost), tokens: 0 };
  const reservation = max && budget && (await reserved(budget, max));
  let judgement: Judgement;
  try {
    judgement = await call();
  } catch (thrown) {
    reservation?.settle(NOTHING);
    throw thrown;
  }
  if ('failure' in judgement) {
    reservation?.forfeit();
    return { judgement, used: { tokensIn: 0, tokensOut: 0, microDollars: max?.microDollars ?? 0 } };
  }
  const { tokensIn = 0, tokensOut = 0 } = judgement.usage ?? {};
  const cost = costOf(prices, undefined, judgement.usage);
  if (reservation !== undefined) reservation.settle(cost);
  else if (!isNothing(cost)) budget?.charge(cost);
  return { judgement, used: { tokensIn, tokensOut, microDollars: cost.microDollars } };
}

async function reserved(budget: Budget, max: Amount): Promise<Reservation> {
  try {
    return await budget.reserve(max);
  } catch (thrown) {
    throw new HandBack({ afterMs: 0, reason: MillraceError.from(thrown).message, source: 'a reservation for the reward' });
  }
}
