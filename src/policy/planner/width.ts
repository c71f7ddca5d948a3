import type { PolicySpec } from '../spec.ts';

/** Width of what the encoder gives for a text. */
export function textWidth(spec: PolicySpec): number {
  return spec.text.encoder === 'bag' ? spec.text.embed : spec.text.width;
}
