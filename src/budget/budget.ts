import { MillraceError } from '../errors.ts';
import type { Amount } from './amount.ts';

/** Money set aside for one call. It is settled once; settling it again does nothing. */
export interface Reservation {
  /** Books what the call cost, which may be more than was reserved, and frees the rest. */
  settle(actual: Amount): void;
  /** Nobody knows what the call cost: books all of the reservation. Returns what was booked. */
  forfeit(): Amount;
}

/**
 * Port: what the calls of one job may cost. Every call that costs something reserves its largest possible cost first and settles after it;
 * each attempt is a call of its own.
 */
export interface Budget {
  /**
   * Sets `max` aside. Answers at once where this process has enough at hand.
   *
   * @throws BudgetExhausted when a budget has not so much left: the call must not be made
   */
  reserve(max: Amount): Reservation | Promise<Reservation>;
  /** Books a call whose largest cost nobody knew before. */
  charge(actual: Amount): void;
}

/** A budget has no room for a call. Nothing but more money, or another month, helps. */
export class BudgetExhausted extends MillraceError {
  /** @param budget - which one, in a few words, e.g. `budget of job a-1` */
  constructor(
    readonly budget: string,
    message: string,
  ) {
    super('resource_exhausted', message, { retryable: false });
  }
}
