/** Height of a row in CSS pixels. */
export const ROW = 24;
/** Width of the index and the time before the lanes. */
export const GUTTER = 150;
/** Width of the bars of faults, left of the first lane. */
export const FAULT_BAR = 15;
const LANE = { least: 30, most: 112 };
/** Share of the width that the lanes take when they are many. */
const SHARE = 0.5;

/** Where the lanes are. */
export interface Geometry {
  laneWidth: number;
  /** Room left of the first lane. */
  margin: number;
  /** Width of all lanes with their margin. */
  width: number;
}

/** Places the lanes in a timeline of this width. */
export function geometryOf(width: number, lanes: number, faultBars: number): Geometry {
  const margin = faultBars * FAULT_BAR + 6;
  const room = ((width - GUTTER) * SHARE - margin) / Math.max(1, lanes);
  const laneWidth = Math.floor(Math.max(LANE.least, Math.min(LANE.most, room)));
  return { laneWidth, margin, width: margin + laneWidth * lanes };
}

/** Middle of a lane, from the left edge of the lanes. */
export function laneX({ laneWidth, margin }: Geometry, lane: number): number {
  return margin + laneWidth * (lane + 0.5);
}
