import type { Timestamp } from '@bufbuild/protobuf/wkt';

/** Three digits that count: 1234 → "1234", 12.345 → "12.3", 0.01234 → "0.0123"; "–" for what is no number. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1 || size === 0) return value.toFixed(2);
  return size < 1e-4 ? value.toExponential(1) : value.toPrecision(3);
}

/** Seconds as people say them: "850ms", "42s", "3m 05s", "2h 10m", "3d 4h". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '–';
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  const whole = Math.round(seconds);
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86_400)];
  if (minutes === 0) return `${whole}s`;
  if (hours === 0) return `${minutes}m ${two(whole % 60)}s`;
  if (days === 0) return `${hours}h ${two(minutes % 60)}m`;
  return `${days}d ${hours % 24}h`;
}

/** Bytes: "512 B", "1.5 MiB". */
export function byteSize(count: number | bigint): string {
  let value = Number(count);
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Milliseconds since the epoch. */
export function millis(time: Timestamp): number {
  return Number(time.seconds) * 1000 + time.nanos / 1e6;
}

/** "2026-11-21 08:00:01Z"; "–" when there is none. */
export function timestamp(time: Timestamp | undefined): string {
  if (!time) return '–';
  const date = new Date(millis(time));
  return Number.isNaN(date.getTime())
    ? '–'
    : date
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, 'Z');
}

/** How long ago: "12s ago"; "–" when there is no time. */
export function ago(time: Timestamp | undefined, now: number): string {
  return time ? `${duration(Math.max(0, Math.round((now - millis(time)) / 1000)))} ago` : '–';
}

/** Text for one line of a terminal: control characters, which could move the cursor or hide text, are escaped. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) =>
    c === '\n' ? '\\n' : c === '\t' ? ' ' : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
