// The package ships no types.
declare module 'asciichart' {
  /** Draws one series as text. */
  export function plot(
    series: readonly number[],
    options?: { height?: number; min?: number; max?: number; offset?: number; format?: (value: number) => string },
  ): string;
}
