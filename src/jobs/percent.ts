/** 0.4231 → "42.3 %". */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
