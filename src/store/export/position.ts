import { MillraceError } from '../../errors.ts';
import { literal } from '../engine.ts';
import { TABLES } from '../../records/tables.ts';

/** Columns that trajectories, and before their number steps, are sorted by on disk. They begin with the job. */
export const ORDER: readonly string[] = TABLES.trajectories.order.split(', ');

/** Values of {@link ORDER}: where a row is in the table. */
export type Position = readonly (string | number)[];

/**
 * A condition for rows after (`>`, `>=`) or before (`<=`) a position. It names every column of the order by itself, since the engine
 * would read the whole table for a comparison of tuples.
 */
export function beyond(position: Position, comparison: '>' | '>=' | '<='): string {
  const strict = comparison[0]!;
  const from = (index: number): string => {
    const column = ORDER[index]!;
    const value = valueOf(position[index]);
    if (index === ORDER.length - 1) return `${column} ${comparison} ${value}`;
    return `${column} ${strict}= ${value} AND (${column} ${strict} ${value} OR ${from(index + 1)})`;
  };
  return from(0);
}

/** Whether two positions are one. */
export const samePosition = (a: Position, b: Position): boolean => a.every((value, index) => value === b[index]);

function valueOf(value: string | number | undefined): string {
  if (typeof value === 'string') return literal(value);
  if (Number.isSafeInteger(value)) return String(value);
  throw new MillraceError('invalid_argument', 'cursor: it is none that an export gave.', { field: 'cursor' });
}
