import type { TraceEvent } from '../../trace.ts';

/** Families of kinds that share a colour; the stylesheet has a variable for each. */
const FAMILIES: readonly [string, RegExp][] = [
  ['danger', /^(violation|nak|term|lost|refused|link-broken|.*-failed|no-answer|watch-gap)$/],
  ['fault', /^(crash|pause|resume|partition|heal|clock)$/],
  ['quiet', /^(ack|acked|working|emit|file|query|answer)$/],
  ['message', /^(publish|stored|duplicate|deliver|redeliver|receive)$/],
  ['kv', /^(kv-.*|written)$/],
  ['stored', /^insert/],
  ['link', /^link-/],
];

/** Family of an event; `plain` for one that is in none. */
export function familyOf({ kind, lane }: TraceEvent): string {
  if (lane === 'faults' && kind !== 'violation') return 'fault';
  return FAMILIES.find(([, kinds]) => kinds.test(kind))?.[0] ?? 'plain';
}

/** Colours of the stylesheet, for drawing on a canvas: `--message` is `message`. They change with the system's colour scheme. */
export class Colours {
  #styles = getComputedStyle(document.documentElement);
  readonly #known = new Map<string, string>();

  constructor(onChange: () => void) {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#known.clear();
      onChange();
    });
  }

  get(name: string): string {
    let colour = this.#known.get(name);
    if (colour === undefined) {
      colour = this.#styles.getPropertyValue(`--${name}`).trim();
      this.#known.set(name, colour);
    }
    return colour;
  }
}
