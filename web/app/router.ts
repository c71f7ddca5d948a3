import { signal } from '@preact/signals';

/** Where the page is: the parts of the path after `#/`, and what follows `?`. */
export interface Place {
  parts: string[];
  query: URLSearchParams;
}

/** The place of an address, e.g. `#/jobs/retail-1?tab=events`. */
export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decoded);
  return { parts, query: new URLSearchParams(query) };
}

/** The address of a place. */
export function hrefTo(parts: readonly string[], query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '');
  const search = new URLSearchParams(given).toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${search === '' ? '' : `?${search}`}`;
}

/** Where the page is now. */
export const place = signal<Place>(placeOf(globalThis.location?.hash ?? ''));

/** Follows the address bar. */
export function followAddress(): void {
  addEventListener('hashchange', () => (place.value = placeOf(location.hash)));
}

/** Goes to an address without a new entry in the history. */
export function replaceAddress(href: string): void {
  history.replaceState(null, '', href);
  place.value = placeOf(href);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
