/** A part of a bar. `colour` names a token of the stylesheet. */
export interface Share {
  name: string;
  colour: string;
  value: number;
}

/** Parts of a whole, as one bar and in words. */
export function ShareBar({ label, shares }: { label: string; shares: readonly Share[] }): preact.JSX.Element {
  const whole = shares.reduce((sum, { value }) => sum + value, 0);
  return (
    <div class="share">
      <div class="share-bar" role="img" aria-label={label}>
        {shares
          .filter(({ value }) => value > 0)
          .map(({ name, colour, value }) => (
            <i key={name} style={{ width: `${(value / whole) * 100}%`, background: `var(--${colour})` }} />
          ))}
      </div>
      <ul class="share-names">
        {shares.map(({ name, colour, value }) => (
          <li key={name}>
            <i style={{ background: `var(--${colour})` }} aria-hidden="true" />
            {name} <b>{value.toLocaleString('en-GB')}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** How far something is, from 0 to 1. */
export function Meter({
  label,
  share,
  colour = 'accent',
}: {
  label: string;
  share: number;
  colour?: string;
}): preact.JSX.Element {
  const bounded = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0));
  return (
    <span
      class="meter"
      role="meter"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(bounded * 100)}
    >
      <i style={{ width: `${bounded * 100}%`, background: `var(--${colour})` }} />
    </span>
  );
}
