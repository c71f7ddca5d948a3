/** An exact fraction in lowest terms with a positive denominator. Four numbers up to 13 never leave the safe integers. */
export interface Rational {
  readonly n: number;
  readonly d: number;
}

export function rational(n: number, d = 1): Rational {
  const sign = d < 0 ? -1 : 1;
  const factor = gcd(Math.abs(n), Math.abs(d)) * sign;
  return { n: n / factor + 0, d: d / factor };
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

export const OPERATIONS = ['add', 'subtract', 'multiply', 'divide'] as const;

/** One of {@link OPERATIONS}. */
export type Operation = (typeof OPERATIONS)[number];

/** Undefined for a division by zero. */
export function calculate(operation: Operation, a: Rational, b: Rational): Rational | undefined {
  switch (operation) {
    case 'add':
      return rational(a.n * b.d + b.n * a.d, a.d * b.d);
    case 'subtract':
      return rational(a.n * b.d - b.n * a.d, a.d * b.d);
    case 'multiply':
      return rational(a.n * b.n, a.d * b.d);
    case 'divide':
      return b.n === 0 ? undefined : rational(a.n * b.d, a.d * b.n);
  }
}

export function equals(a: Rational, n: number): boolean {
  return a.d === 1 && a.n === n;
}

export function toText(value: Rational): string {
  return value.d === 1 ? String(value.n) : `${value.n}/${value.d}`;
}

export function toNumber(value: Rational): number {
  return value.n / value.d;
}
