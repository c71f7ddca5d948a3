/** From where to where, in pixels. */
interface Ends {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

interface Point {
  x: number;
  y: number;
}

interface ArrowStyle {
  colour: string;
  /** Belongs to the history of the selected event. */
  marked: boolean;
  /** Ends in a cross. */
  lost: boolean;
  /** Drawn from end to end; otherwise only where it arrives, since it would cross everything in between. */
  whole: boolean;
}

const DOT = 6;
const HEAD = 7;
const LOST = 30;
const CROSS = 4.5;

/** An arrow from what sent to what received. */
export function drawArrow(context: CanvasRenderingContext2D, ends: Ends, { colour, marked, lost, whole }: ArrowStyle): void {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = marked ? 2 : 1.25;
  const end = lost ? drawCross : drawHead;
  if (ends.x1 === ends.x2) return drawLoop(context, ends);
  if (whole) return drawLine(context, ends, end);
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(ends.x1, ends.y2);
  context.lineTo(ends.x2, ends.y2);
  context.stroke();
  context.setLineDash([]);
  end(context, { x: ends.x2, y: ends.y2 }, ends.x2 > ends.x1 ? 0 : Math.PI);
}

/** An arrow that ends in a cross. `towards` is 1 for right, -1 for left. */
export function drawLost(
  context: CanvasRenderingContext2D,
  { x, y, towards }: { x: number; y: number; towards: 1 | -1 },
  colour: string,
): void {
  const end = x + towards * LOST;
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(end - towards * CROSS * 1.5, y);
  context.stroke();
  drawCross(context, { x: end, y });
}

function drawLine(context: CanvasRenderingContext2D, { x1, y1, x2, y2 }: Ends, drawEnd: typeof drawHead): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  drawEnd(context, { x: x2, y: y2 }, Math.atan2(y2 - y1, x2 - x1));
}

/** Something that a lane sent to itself. */
function drawLoop(context: CanvasRenderingContext2D, { x1, y1, y2 }: Ends): void {
  context.beginPath();
  context.moveTo(x1, y1);
  context.bezierCurveTo(x1 + 22, y1, x1 + 22, y2, x1 + DOT, y2);
  context.stroke();
  drawHead(context, { x: x1, y: y2 }, Math.PI);
}

function drawCross(context: CanvasRenderingContext2D, { x, y }: Point): void {
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x - CROSS, y - CROSS);
  context.lineTo(x + CROSS, y + CROSS);
  context.moveTo(x - CROSS, y + CROSS);
  context.lineTo(x + CROSS, y - CROSS);
  context.stroke();
}

/** The head of an arrow that reaches a point at an angle, short of the dot that is there. */
function drawHead(context: CanvasRenderingContext2D, { x, y }: Point, angle: number): void {
  context.save();
  context.translate(x, y);
  context.rotate(angle);
  context.beginPath();
  context.moveTo(-DOT + 1, 0);
  context.lineTo(-DOT - HEAD, -HEAD / 2);
  context.lineTo(-DOT - HEAD, HEAD / 2);
  context.fill();
  context.restore();
}
