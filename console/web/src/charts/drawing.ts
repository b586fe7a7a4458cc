// Lines, crosses and labels on a canvas, in the units of the axes.
import type uPlot from "uplot";

export interface Line { x: ArrayLike<number>; y: ArrayLike<number> }

export function trace(context: CanvasRenderingContext2D, plot: uPlot, line: Line): void {
  let pen = false;
  const length = line.x.length;
  context.beginPath();
  for (let index = 0; index < length; index++) {
    const value = line.y[index]!;
    // A value that is no number leaves a gap.
    if (!Number.isFinite(value)) {
      pen = false;
      continue;
    }
    const px = plot.valToPos(line.x[index]!, "x", true);
    const py = plot.valToPos(value, "y", true);
    if (pen) context.lineTo(px, py);
    else context.moveTo(px, py);
    pen = true;
  }
  if (length === 1 && pen) context.arc(plot.valToPos(line.x[0]!, "x", true), plot.valToPos(line.y[0]!, "y", true), 1.5 * devicePixelRatio, 0, 7);
  context.stroke();
}

/** A line that stays level until the next point. */
export function stairs(context: CanvasRenderingContext2D, plot: uPlot, line: Line): void {
  context.beginPath();
  for (let index = 0; index < line.x.length; index++) {
    const px = plot.valToPos(line.x[index]!, "x", true);
    const py = plot.valToPos(line.y[index]!, "y", true);
    if (index === 0) context.moveTo(px, py);
    else {
      context.lineTo(px, plot.valToPos(line.y[index - 1]!, "y", true));
      context.lineTo(px, py);
    }
  }
  context.stroke();
}

export function cross(context: CanvasRenderingContext2D, px: number, py: number, size: number): void {
  context.beginPath();
  context.moveTo(px - size, py - size);
  context.lineTo(px + size, py + size);
  context.moveTo(px + size, py - size);
  context.lineTo(px - size, py + size);
  context.stroke();
}

export function ring(context: CanvasRenderingContext2D, px: number, py: number, size: number): void {
  context.beginPath();
  context.arc(px, py, size, 0, 2 * Math.PI);
  context.stroke();
}

export function dot(context: CanvasRenderingContext2D, px: number, py: number, size: number): void {
  context.beginPath();
  context.arc(px, py, size, 0, 2 * Math.PI);
  context.fill();
}

/** A text with a halo in the colour of the ground, so that it can be read over curves. */
export function label(context: CanvasRenderingContext2D, text: string, px: number, py: number, ink: string, ground: string, align: CanvasTextAlign): void {
  context.font = `600 ${11.5 * devicePixelRatio}px system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif`;
  context.textAlign = align;
  context.textBaseline = "middle";
  context.lineWidth = 4 * devicePixelRatio;
  context.strokeStyle = ground;
  context.lineJoin = "round";
  context.strokeText(text, px, py);
  context.fillStyle = ink;
  context.fillText(text, px, py);
}
