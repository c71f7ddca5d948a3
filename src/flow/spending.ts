import { isNothing, NOTHING, type Amount } from '../budget/amount.ts';
import type { Budget, Reservation } from '../budget/budget.ts';
import { microDollars } from '../budget/money.ts';
import { costOf, NO_PRICES, toolPrice, type PriceTable } from '../budget/prices.ts';
import { MillraceError } from '../errors.ts';
import { FailureClass } from '../gen/millrace/v1/flow_pb.ts';
import type { Execution } from './executor.ts';
import { FlowFailure, isPromise } from './failure.ts';
import { HandBack, isRetryLater } from './retry-later.ts';
import type { Meter } from './usage.ts';

/** What the calls of a run cost, and who is asked before they are made. */
export interface Spending {
  /** Default: nobody is asked. */
  budget?: Budget | undefined;
  /** Default: only what calls say themselves costs anything. */
  prices?: PriceTable | undefined;
}

/** A tool as its price is told. */
export interface PricedTool {
  name: string;
  /** US dollars. */
  maxCost?: number | undefined;
}

type MaybeLater<R> = R | Promise<R>;

/** A call that may cost something. */
export interface PaidCall {
  meter: Meter;
  call: () => MaybeLater<Execution>;
  /** Ends the flow: aborted while money is set aside, the call is not made. */
  signal?: AbortSignal | undefined;
}

/**
 * Makes one call of a tool: reserves its largest cost, and books what it cost in the budget and the run's meter. A call that was refused
 * by RetryLater costs nothing; one of which nobody knows what became of it (it crashed, took too long, was cancelled) all that was reserved.
 * Rejects with {@link HandBack} where the budget has no room: the group is run again when it has.
 */
export function payFor(
  tool: PricedTool,
  { budget, prices = NO_PRICES }: Spending,
  { meter, call, signal }: PaidCall,
): MaybeLater<Execution> {
  const max = largestCost(tool, prices);
  const answered = (execution: Execution, reservation?: Reservation): Execution => {
    const { usage, notCalled } = execution;
    const cost = notCalled ? NOTHING : costOf(prices, tool.name, usage);
    if (usage !== undefined || !isNothing(cost)) meter.add({ ...usage, microDollars: cost.microDollars });
    if (reservation !== undefined) reservation.settle(cost);
    else if (budget !== undefined && !isNothing(cost)) budget.charge(cost);
    return execution;
  };
  const failed = (thrown: unknown, reservation?: Reservation): never => {
    if (wasNotMade(thrown)) reservation?.settle(NOTHING);
    else {
      reservation?.forfeit();
      if (max !== undefined) meter.add(max);
    }
    throw thrown;
  };
  const pay = (reservation?: Reservation): MaybeLater<Execution> => {
    let execution: MaybeLater<Execution>;
    if (signal?.aborted) {
      reservation?.settle(NOTHING);
      throw new MillraceError('cancelled', `the flow was stopped before tool '${tool.name}' was called`, {
        cause: signal.reason,
      });
    }
    try {
      execution = call();
    } catch (thrown) {
      return failed(thrown, reservation);
    }
    if (!isPromise(execution)) return answered(execution, reservation);
    return execution.then(
      (value: Execution) => answered(value, reservation),
      (thrown: unknown) => failed(thrown, reservation),
    );
  };
  if (max === undefined || budget === undefined) return pay();
  let reserved: MaybeLater<Reservation>;
  try {
    reserved = budget.reserve(max);
  } catch (thrown) {
    return handBack(tool, thrown);
  }
  if (!isPromise(reserved)) return pay(reserved);
  return reserved.catch((thrown: unknown) => handBack(tool, thrown)).then(pay);
}

/** Undefined where nobody knows it before the call. */
function largestCost({ name, maxCost }: PricedTool, prices: PriceTable): Amount | undefined {
  const price = maxCost === undefined ? toolPrice(prices, name) : microDollars(maxCost);
  return price === undefined ? undefined : { microDollars: price, tokens: 0 };
}

/** Refused by the service, or wrong before the tool was called. */
function wasNotMade(thrown: unknown): boolean {
  return isRetryLater(thrown) || (thrown instanceof FlowFailure && thrown.failure === FailureClass.FLOW_CRASH);
}

function handBack({ name }: PricedTool, thrown: unknown): never {
  throw new HandBack({ afterMs: 0, reason: MillraceError.from(thrown).message, source: `a reservation for tool '${name}'` });
}
