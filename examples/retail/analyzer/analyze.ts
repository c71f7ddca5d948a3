import type { World } from '../world/world.ts';
import { findGroups, maskGroups } from './brackets.ts';
import { isAboutTheCustomer, readHeader, type Header } from './header.ts';
import { cutIntoPieces, type Piece } from './pieces.ts';
import { givesAddress, ORDER_ID, readSlots, type Slots } from './slots.ts';

/** One request of the customer. */
export interface Clause {
  /** What the planner reads: the customer's words, with what stands in brackets (options, addresses) left out. */
  text: string;
  /** What the executor takes arguments from; the planner does not see it. */
  slots: Slots;
}

/** A customer's message taken apart. */
export interface Analysis {
  header: Header;
  clauses: Clause[];
}

/**
 * The frozen analyzer: splits a message into who writes and what they want. It decides nothing about tools.
 *
 * A clause starts at each piece that names an order, or that gives an address without naming one; what follows belongs to it
 * until the next one. Pieces before the first clause, and any that give an e-mail or zip code, are about the customer.
 */
export function analyze(message: string, world: World): Analysis {
  return world.once('analysis', message, () => {
    return {
      header: readHeader(maskGroups(message, findGroups(message))),
      clauses: cutIntoClauses(message).map((text) => ({ text: shorten(text), slots: readSlots(text, world.productNames) })),
    };
  });
}

/** How many requests a message makes. */
export function countRequests(message: string): number {
  return cutIntoPieces(message).filter(startsClause).length;
}

function cutIntoClauses(message: string): string[] {
  const clauses: string[] = [];
  for (const piece of cutIntoPieces(message)) {
    if (startsClause(piece)) clauses.push(piece.text);
    else if (clauses.length > 0 && !isAboutTheCustomer(piece.masked)) clauses[clauses.length - 1] += ` ${piece.text}`;
  }
  return clauses;
}

function startsClause({ text, masked }: Piece): boolean {
  return ORDER_ID.test(masked) || (/\baddress\b/i.test(masked) && givesAddress(text));
}

function shorten(text: string): string {
  const groups = findGroups(text);
  return maskGroups(text, groups)
    .replace(/[{}()[\]]/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}
