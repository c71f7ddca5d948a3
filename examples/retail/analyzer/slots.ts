import { CANCEL_REASONS, type CancelReason } from '../tools/pending-orders.ts';
import { addressSchema, type Address } from '../world/records.ts';
import { findGroups, maskGroups, readPairs } from './brackets.ts';

/** An item as the customer describes it. */
export interface ItemSlot {
  /** Product name. */
  name: string;
  /** Options that say which piece is meant; undefined when only the name was given. */
  from?: Record<string, string>;
  /** Options that the replacement should differ in; undefined when none was asked for. */
  to?: Record<string, string>;
}

/** A payment method as the customer names it. */
export type PaymentSlot =
  | { by: 'id'; id: string }
  /** One of the customer's own, e.g. "my gift card" or "the card ending in 1234". Needs the profile. */
  | { by: 'source'; source: 'credit_card' | 'paypal' | 'gift_card'; lastFour?: string }
  /** The way the order was paid. Needs the order. */
  | { by: 'original' };

/** An address as the customer gives it; `profile` needs the profile. */
export type AddressSlot = Address | 'profile';

/** What the executor can take from a clause. Which of it a tool needs is the planner's business. */
export interface Slots {
  orderId?: string;
  items: ItemSlot[];
  payment?: PaymentSlot;
  address?: AddressSlot;
  reason?: CancelReason;
}

/** Order ids as customers write them. */
export const ORDER_ID = /#W\d+/;
const METHOD_ID = /\b(?:credit_card|paypal|gift_card)_\d+\b/;
const ENDING_IN = /\b(?:card|visa|mastercard|plastic)\b[^.;#]{0,30}?\b(?:ending|ends|last four)[^\d.;]{0,12}(\d{4})\b/i;
const ORIGINAL =
  /\b(?:original (?:payment|method|form)|same (?:way|method|payment)|(?:way|method) (?:i|that was|it was) (?:paid|used)|how i paid|paid with)\b/i;
const PROSE_ADDRESS = /\b(\d+ [\p{L}' ]+), (?:([^,;.]+), )?([\p{L}' ]+), ([A-Z]{2}) (\d{5})(?:, (\p{Lu}\p{L}+))?/u;
const PROFILE = /\b(?:profile|default|home|usual|on file|account)\b/i;
const MISTAKE =
  /\bmistake|\baccident|\bby error|\bin error|\berroneous|\bwrong|\bnever meant|\bdid(?:n't| not) mean|\bunintended/i;
const NOT_NEEDED =
  /\bno longer|\b(?:do|does)(?:n't| not) need|\bnot needed|\bno need|\bno use for|\bneed it no more|\bchanged my mind|\bany ?more\b|\bdone without/i;

/** Reads what a clause says. `productNames` longest first. */
export function readSlots(text: string, productNames: readonly string[]): Slots {
  const groups = findGroups(text);
  const masked = maskGroups(text, groups);
  const slots: Slots = { items: [] };

  const orderId = ORDER_ID.exec(masked)?.[0];
  if (orderId !== undefined) slots.orderId = orderId;
  const payment = readPayment(masked);
  if (payment !== undefined) slots.payment = payment;
  const reason = readReason(masked);
  if (reason !== undefined) slots.reason = reason;
  const address = readAddress(text);
  if (address !== undefined) slots.address = address;

  // A group belongs to the product named last before it.
  const named = findNames(masked, productNames);
  slots.items = named.map(({ name }) => ({ name }));
  for (const group of groups) {
    const pairs = readPairs(group.inner);
    if (pairs === undefined) continue;
    const index = named.findLastIndex(({ end }) => end <= group.start);
    const owner = named[index];
    const item = slots.items[index];
    if (owner === undefined || item === undefined) continue;
    // Right after the name: which piece it is. Anything in between ("to", "but with") makes it what to change it to.
    if (text.slice(owner.end, group.start).trim() === '') item.from ??= pairs;
    else item.to ??= pairs;
  }
  return slots;
}

function findNames(masked: string, productNames: readonly string[]): { name: string; end: number }[] {
  const found: { name: string; start: number; end: number }[] = [];
  for (const name of productNames) {
    for (let at = masked.indexOf(name); at >= 0; at = masked.indexOf(name, at + name.length)) {
      const end = at + name.length;
      if (/[\p{L}\d-]/u.test(masked[at - 1] ?? ' ') || /[\p{L}\d]/u.test(masked[end] ?? ' ')) continue;
      if (!found.some((other) => at < other.end && other.start < end)) found.push({ name, start: at, end });
    }
  }
  return found.sort((a, b) => a.start - b.start);
}

function readPayment(masked: string): PaymentSlot | undefined {
  const id = METHOD_ID.exec(masked)?.[0];
  if (id !== undefined) return { by: 'id', id };
  const lastFour = ENDING_IN.exec(masked)?.[1];
  if (lastFour !== undefined) return { by: 'source', source: 'credit_card', lastFour };
  if (/\bgift card\b/i.test(masked)) return { by: 'source', source: 'gift_card' };
  if (/\bpaypal\b/i.test(masked)) return { by: 'source', source: 'paypal' };
  if (/\bcredit card\b/i.test(masked)) return { by: 'source', source: 'credit_card' };
  return ORIGINAL.test(masked) ? { by: 'original' } : undefined;
}

function readReason(masked: string): CancelReason | undefined {
  const literal = CANCEL_REASONS.find((reason) => masked.includes(reason));
  if (literal !== undefined) return literal;
  if (MISTAKE.test(masked)) return 'ordered by mistake';
  return NOT_NEEDED.test(masked) ? 'no longer needed' : undefined;
}

/** Whether a text spells an address out. */
export function givesAddress(text: string): boolean {
  return typeof readAddress(text) === 'object';
}

function readAddress(text: string): AddressSlot | undefined {
  const groups = findGroups(text);
  for (const group of groups) {
    const address = addressSchema.safeParse(readPairs(group.inner));
    if (address.success) return address.data;
  }
  const masked = maskGroups(text, groups);
  const [, address1, address2, city, state, zip, country] = PROSE_ADDRESS.exec(masked) ?? [];
  if (address1 !== undefined && city !== undefined && state !== undefined && zip !== undefined) {
    return { address1, address2: address2 ?? '', city, country: country ?? 'USA', state, zip };
  }
  return /\baddress\b/i.test(masked) && PROFILE.test(masked) ? 'profile' : undefined;
}
