import type { Random } from 'millrace';
import type { ItemSlot, PaymentSlot } from '../analyzer/slots.ts';
import type { Address, User } from '../world/records.ts';
import { chance, pick } from './draw.ts';
import {
  HEADER_PHRASES,
  LINKS,
  ORDER_PHRASES,
  REASON_PHRASES,
  REQUEST_PHRASES,
  SIGNATURE_PHRASES,
  SMALL_TALK,
} from './phrases.ts';
import type { Request } from './requests.ts';

/** Turns requests into a customer's message. One message keeps to one way of writing options and addresses. */
export function writeMessage(random: Random, user: Readonly<User>, email: string, requests: readonly Request[]): string {
  const style: Style = { quoted: chance(random, 0.4), bullets: requests.length > 1 && chance(random, 0.2) };
  const given = pick(random, ['zip', 'zip', 'email', 'email', 'both'] as const);
  // An e-mail address that is not the registered one is no use alone.
  const known = email === user.email ? given : 'both';
  const who = {
    name: `${user.name.first_name} ${user.name.last_name}`,
    zip: user.address.zip,
    city: user.address.city,
    email,
  };
  const signed = chance(random, 0.15);
  const parts: string[] = [];
  if (!signed) parts.push(fill(random, pick(random, HEADER_PHRASES[known]), who));
  if (chance(random, 0.3)) parts.push(pick(random, SMALL_TALK));
  requests.forEach((request, i) => {
    const link = i === 0 || style.bullets ? '' : pick(random, LINKS);
    const sentence = writeRequest(random, request, style);
    parts.push((style.bullets ? '\n- ' : '') + (link === '' ? capital(sentence) : link + uncapital(sentence)));
  });
  if (signed) parts.push(fill(random, pick(random, SIGNATURE_PHRASES[known]), who));
  return parts.join(' ');
}

interface Style {
  /** `{'name': 'value'}` rather than `(name: value)`. */
  quoted: boolean;
  /** Each request on a line of its own. */
  bullets: boolean;
}

function writeRequest(random: Random, request: Request, style: Style): string {
  const { kind, orderId, items, payment, address, reason } = request;
  const known = kind === 'foreign' || kind === 'late' ? 'cancel' : kind;
  const values: Record<string, string> = {};
  if (orderId !== undefined) values['order'] = fill(random, pick(random, ORDER_PHRASES), { id: orderId });
  if (reason !== undefined) values['reason'] = pick(random, REASON_PHRASES[reason]);
  if (payment !== undefined) values['pay'] = writePayment(random, payment);
  if (address !== undefined)
    values['address'] = address === 'profile' ? writeProfile(random) : writeAddress(random, address, style);
  const named = items.map((item) => item.name + (item.from === undefined ? '' : ` ${writePairs(item.from, style)}`));
  values['items'] = join(random, named);
  values['list'] = [named.slice(0, -1).join(', '), ...named.slice(-1)].filter((part) => part !== '').join(' and ');
  values['swaps'] = join(
    random,
    items.map((item) => writeSwap(random, item, style)),
  );
  return fill(random, pick(random, REQUEST_PHRASES[known]), values);
}

function writeSwap(random: Random, { name, from, to }: ItemSlot, style: Style): string {
  const link = pick(random, ['to', 'to', 'for one with', 'into']);
  return `${name} ${from === undefined ? '' : `${writePairs(from, style)} `}${link} ${writePairs(to ?? {}, style)}`;
}

function writePairs(options: Readonly<Record<string, string>>, style: Style): string {
  const entries = Object.entries(options);
  if (style.quoted) return `{${entries.map(([name, value]) => `'${name}': '${value}'`).join(', ')}}`;
  return `(${entries.map(([name, value]) => `${name}: ${value}`).join(', ')})`;
}

function writePayment(random: Random, payment: PaymentSlot): string {
  if (payment.by === 'id') return pick(random, ['', '', 'my ']) + payment.id;
  if (payment.by === 'original') return pick(random, ['the original payment method', 'what I paid with']);
  if (payment.source === 'paypal') return pick(random, ['my PayPal', 'PayPal']);
  if (payment.source === 'gift_card') return pick(random, ['my gift card', 'the gift card']);
  return payment.lastFour === undefined ? 'my credit card' : `the card ending in ${payment.lastFour}`;
}

function writeProfile(random: Random): string {
  return pick(random, ['my default address', 'the address in my profile', 'my home address on file']);
}

function writeAddress(random: Random, address: Address, style: Style): string {
  if (style.quoted) return writePairs(address, style);
  const { address1, address2, city, state, zip, country } = address;
  return [address1, address2, city, `${state} ${zip}`, ...(chance(random, 0.5) ? [country] : [])]
    .filter((part) => part !== '')
    .join(', ');
}

function join(random: Random, parts: readonly string[]): string {
  return parts.join(parts.length > 2 || chance(random, 0.5) ? '; ' : ' and ');
}

/** Picks among the alternatives and fills the slots in; slots may stand inside alternatives. */
function fill(random: Random, template: string, values: Readonly<Record<string, string>>): string {
  const chosen = template.replace(/<([^<>]*)>/g, (_, alternatives: string) => pick(random, alternatives.split('|')));
  return chosen.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for {${name}} in "${template}"`);
    return value;
  });
}

function capital(text: string): string {
  return text.replace(/(^|[.?] )([a-z])(?!\w*_\d)/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}

function uncapital(text: string): string {
  return capital(text).replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
}
