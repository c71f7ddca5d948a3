import { findGroups, maskGroups } from './brackets.ts';

/** A stretch of the message between two separators, and the same with bracketed text blanked out. */
export interface Piece {
  text: string;
  masked: string;
}

/** Cuts a message at sentence ends, semicolons and line breaks, but not inside brackets. */
export function cutIntoPieces(message: string): Piece[] {
  const masked = maskGroups(message, findGroups(message));
  const pieces: Piece[] = [];
  let start = 0;
  const keep = (end: number): void => {
    const text = message.slice(start, end);
    if (text.trim() !== '') pieces.push({ text, masked: masked.slice(start, end) });
    start = end;
  };
  for (const separator of masked.matchAll(/[.;!?](?=\s|$)|\n/g)) keep(separator.index + 1);
  keep(message.length);
  return pieces;
}
