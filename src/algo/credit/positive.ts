/** The advantages, or with `positiveOnly` what of them is above 0. */
export function positivePart(advantages: number[], { positiveOnly }: { positiveOnly: boolean }): number[] {
  return positiveOnly ? advantages.map((advantage) => Math.max(0, advantage)) : advantages;
}
