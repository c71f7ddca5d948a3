/** Calendar month in UTC, as `2026-11`. */
export type Month = string;

const MONTH = /^\d{4}-(0[1-9]|1[0-2])$/;

export function isMonth(text: string): boolean {
  return MONTH.test(text);
}

/** The month of a Unix time in milliseconds. */
export function monthOf(now: number): Month {
  return new Date(now).toISOString().slice(0, 7);
}

/** When the month after it begins, in Unix milliseconds. */
function endOfMonth(month: Month): number {
  const [year = 0, number = 1] = month.split('-').map(Number);
  return Date.UTC(year, number, 1);
}

/** Months before a job's last that are looked at: jobs do not run for longer. */
const MOST_MONTHS = 120;

/** The months from the one of `from` up to, and without, `to`; the newest 120 of them. */
export function monthsBefore(to: Month, from: number): Month[] {
  const months: Month[] = [];
  const [year = 0, number = 1] = to.split('-').map(Number);
  const first = monthOf(Math.max(from, Date.UTC(year, number - 1 - MOST_MONTHS, 1)));
  for (let month = first; month < to; month = monthOf(endOfMonth(month))) months.push(month);
  return months;
}
