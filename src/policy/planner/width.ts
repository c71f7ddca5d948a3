import type { PlannerSpec } from './spec.ts';

/** Width of what the encoder gives for a text. */
export function textWidth(spec: PlannerSpec): number {
  return spec.text.encoder === 'bag' ? spec.text.embed : spec.text.width;
}

/** Attention heads of a transformer of this width: 4, or 2 or 1 where it cannot be divided or heads would be narrower than 8. */
export function attentionHeads(width: number): number {
  return [4, 2].find((heads) => width % heads === 0 && width / heads >= 8) ?? 1;
}
