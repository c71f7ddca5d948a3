/** Numbers and times, as people read them. */

const DASH = '–';

/** A whole number with thin groups of three. */
export function count(value: number | string | bigint | undefined): string {
  if (value === undefined) return DASH;
  return Number(value).toLocaleString('en-GB');
}

/** A figure with about three digits. */
export function figure(value: number | null | undefined, digits = 3): string {
  if (value === undefined || value === null || !Number.isFinite(value)) return DASH;
  if (value !== 0 && (Math.abs(value) < 0.001 || Math.abs(value) >= 1e6)) return value.toExponential(1);
  const decimals = Math.max(0, digits - Math.max(1, Math.floor(Math.log10(Math.max(1, Math.abs(value)))) + 1));
  return value.toLocaleString('en-GB', { maximumFractionDigits: decimals });
}

/** A share as per cent. */
export function percent(share: number | null | undefined): string {
  if (share === undefined || share === null || !Number.isFinite(share)) return DASH;
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** A duration in its two largest units. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return DASH;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** How long ago something was. */
export function ago(time: string | undefined, now = Date.now()): string {
  if (time === undefined) return DASH;
  return `${duration(Math.max(0, Math.round((now - Date.parse(time)) / 1000)))} ago`;
}

/** A time of this machine's day. */
export function clock(time: string | undefined): string {
  if (time === undefined) return DASH;
  return new Date(time).toLocaleTimeString('en-GB');
}

/** Bytes in the largest unit that leaves a whole number. */
export function bytes(value: number | string | undefined): string {
  if (value === undefined) return DASH;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let left = Number(value);
  let unit = 0;
  while (left >= 1000 && unit < units.length - 1) {
    left /= 1000;
    unit += 1;
  }
  return `${left < 10 && unit > 0 ? left.toFixed(1) : Math.round(left)} ${units[unit]}`;
}

/** Micro-dollars as dollars. */
export function dollars(micro: number | string | undefined): string {
  const value = Number(micro ?? 0) / 1e6;
  return `$${value.toLocaleString('en-GB', { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 })}`;
}

/** A value of a row as text. */
export function text(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : figure(value, 4);
  return JSON.stringify(value);
}
