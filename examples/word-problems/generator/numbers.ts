/** Numbers of made-up problems, drawn so that the answer is a positive whole number. */
/** a + b */
export function sum(a: number, b: number) {
  return { a, b, answer: a + b };
}

/** a − b = rest */
export function difference(rest: number, b: number) {
  return { a: rest + b, b, answer: rest };
}

/** a · b */
export function product(a: number, b: number) {
  return { a, b, answer: a * b };
}

/** a / b = answer */
export function quotient(answer: number, b: number) {
  return { a: answer * b, b, answer };
}

/** Any combination of three numbers; the third may depend on the first two. */
export function chain(
  a: number,
  b: number,
  third: (a: number, b: number) => number,
  value: (a: number, b: number, c: number) => number,
) {
  const c = third(a, b);
  return { a, b, c, answer: value(a, b, c) };
}

/** (a + b) / c = answer */
export function shared(answer: number, c: number, split: (total: number) => number) {
  const a = split(answer * c);
  return { a, b: answer * c - a, c, answer };
}

/** (a − b) / c = answer */
export function leftShared(answer: number, c: number, given: () => number) {
  const b = given();
  return { a: answer * c + b, b, c, answer };
}

/** (a + b − c) / d = answer */
export function threeStep(answer: number, d: number, taken: () => number, split: (most: number) => number) {
  const c = taken();
  const total = answer * d + c;
  const a = split(total - 1);
  return { a, b: total - a, c, d, answer };
}
