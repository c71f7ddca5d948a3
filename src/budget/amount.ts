/** What is reserved, spent or left: money and tokens of language models, both whole numbers. */
export interface Amount {
  /** Millionths of a US dollar. */
  readonly microDollars: number;
  /** Tokens read and written. */
  readonly tokens: number;
}

export const NOTHING: Amount = { microDollars: 0, tokens: 0 };

export function plus(one: Amount, other: Amount): Amount {
  return { microDollars: one.microDollars + other.microDollars, tokens: one.tokens + other.tokens };
}

export function minus(one: Amount, other: Amount): Amount {
  return { microDollars: one.microDollars - other.microDollars, tokens: one.tokens - other.tokens };
}

/** The greater of both in each. */
export function most(one: Amount, other: Amount): Amount {
  return { microDollars: Math.max(one.microDollars, other.microDollars), tokens: Math.max(one.tokens, other.tokens) };
}

/** The smaller of both in each. */
export function least(one: Amount, other: Amount): Amount {
  return { microDollars: Math.min(one.microDollars, other.microDollars), tokens: Math.min(one.tokens, other.tokens) };
}

export function times(amount: Amount, factor: number): Amount {
  return { microDollars: amount.microDollars * factor, tokens: amount.tokens * factor };
}

/** Whether `one` is enough for `other`, in both. */
export function covers(one: Amount, other: Amount): boolean {
  return one.microDollars >= other.microDollars && one.tokens >= other.tokens;
}

export function isNothing({ microDollars, tokens }: Amount): boolean {
  return microDollars === 0 && tokens === 0;
}
