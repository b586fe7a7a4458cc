// Best so far against trials, the clock or the training that was paid for; one line a job.
import type { JSX } from "preact";
import { useCallback, useMemo, useState } from "preact/hooks";
import type uPlot from "uplot";
import type { Axis, Step } from "../data/derive";
import { staircase } from "../data/derive";
import { duration, show, tick, tickDuration } from "../data/numbers";
import { colour } from "../theme";
import { dot, label, stairs } from "./drawing";
import { boundsOf, Plane, type Pointer } from "./plane";

export interface Progress { name: string; steps: Step[]; until: number; ink?: string }

const NAMES: Record<Axis, string> = { trials: "trials that have ended", clock: "time on the clock", cost: "training time paid for" };

export function ProgressChart({ lines, axis, metric, target, height, logY = false }: {
  lines: Progress[]; axis: Axis; metric: string; target?: number | undefined; height: number; logY?: boolean;
}): JSX.Element {
  const [hover, setHover] = useState<{ line: number; step: Step; left: number; top: number; wide: number } | null>(null);
  const made = useMemo(() => lines.map((line) => ({ ...line, stairs: staircase(line.steps, line.until) })), [lines]);
  const single = lines.length === 1;
  const x = useMemo((): [number, number] => [0, Math.max(1, ...lines.map((line) => line.until)) * 1.03], [lines]);
  const y = useMemo(() => boundsOf(made.flatMap((line) => [...line.steps.filter((step) => single || step.best).map((step) => step.value), ...(target === undefined ? [] : [target])]), logY), [made, target, logY, single]);
  const draw = useCallback((context: CanvasRenderingContext2D, plot: uPlot) => {
    if (target !== undefined) drawTarget(context, plot, target);
    for (const line of made) drawLine(context, plot, line, single);
    if (!single) nameLines(context, plot, made);
  }, [made, target, single]);
  const point = (pointer: Pointer | null): void => setHover(pointer && closest(made, pointer));
  return (
    <Plane label={`Best ${metric} so far against ${NAMES[axis]}`} x={x} y={y} logY={logY} xName={NAMES[axis]} xTime={axis !== "trials"} xWhole={axis === "trials"} xText={axis === "trials" ? show : tickDuration} yText={tick}
      height={height} draw={draw} onPoint={point} onClick={() => undefined}>
      {hover && (
        <div class="tip" style={{ top: `${Math.max(4, hover.top - 30)}px`, ...(hover.left > hover.wide / 2 ? { right: `${hover.wide - hover.left + 14}px` } : { left: `${hover.left + 14}px` }) }}>
          <header><span>{hover.step.trial.name}</span></header>
          <dl>
            <dt>{metric}</dt><dd>{show(hover.step.value)}</dd>
            <dt>{NAMES[axis]}</dt><dd>{axis === "trials" ? hover.step.at : duration(hover.step.at)}</dd>
          </dl>
          {hover.step.best && <p class="why">A new best.</p>}
        </div>
      )}
    </Plane>
  );
}

function drawTarget(context: CanvasRenderingContext2D, plot: uPlot, target: number): void {
  const { left, width } = plot.bbox;
  const py = plot.valToPos(target, "y", true);
  context.strokeStyle = colour("good");
  context.lineWidth = devicePixelRatio;
  context.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  context.beginPath();
  context.moveTo(left, py);
  context.lineTo(left + width, py);
  context.stroke();
  context.setLineDash([]);
  label(context, `target ${show(target)}`, left + 4 * devicePixelRatio, py - 9 * devicePixelRatio, colour("good"), colour("surface"), "left");
}

function drawLine(context: CanvasRenderingContext2D, plot: uPlot, line: Progress & { stairs: { x: number[]; y: number[] } }, single: boolean): void {
  const ink = line.ink ?? colour("accent");
  const scale = devicePixelRatio;
  if (single) {
    for (const step of line.steps) {
      if (step.best) continue;
      context.fillStyle = colour(step.trial.phase === "EarlyStopped" ? "curve-stopped" : "curve-quiet");
      context.globalAlpha = 0.8;
      dot(context, plot.valToPos(step.at, "x", true), plot.valToPos(step.value, "y", true), 2.6 * scale);
      context.globalAlpha = 1;
    }
  }
  context.strokeStyle = ink;
  context.lineWidth = 2.2 * scale;
  context.lineJoin = "round";
  stairs(context, plot, line.stairs);
  context.fillStyle = ink;
  const bests = line.steps.filter((step) => step.best);
  for (const step of bests) dot(context, plot.valToPos(step.at, "x", true), plot.valToPos(step.value, "y", true), 3.4 * scale);
  const last = bests.at(-1);
  if (last && single) label(context, show(last.value), plot.valToPos(line.stairs.x.at(-1)!, "x", true), plot.valToPos(last.value, "y", true) - 11 * scale, ink, colour("surface"), "right");
}

/** The names of the lines at their ends: above the best, below the others, and none on top of another. */
function nameLines(context: CanvasRenderingContext2D, plot: uPlot, lines: (Progress & { stairs: { x: number[]; y: number[] } })[]): void {
  const high = 15 * devicePixelRatio;
  const ends = lines.flatMap(({ name, ink, stairs: { x, y } }) => (y.length > 0 ? [{ name, ink, left: plot.valToPos(x.at(-1)!, "x", true), top: plot.valToPos(y.at(-1)!, "y", true) }] : []));
  let free = -Infinity;
  for (const [place, end] of ends.sort((a, b) => a.top - b.top).entries()) {
    const top = Math.max(end.top + (place === 0 ? -0.7 : 0.7) * high, free);
    free = top + high;
    label(context, end.name, end.left, top, end.ink ?? colour("text"), colour("surface"), end.left - plot.bbox.left > 0.6 * high * end.name.length ? "right" : "left");
  }
}

function closest(lines: Progress[], { left, top, plot }: Pointer): { line: number; step: Step; left: number; top: number; wide: number } | null {
  let found: ReturnType<typeof closest> = null;
  let near = 40;
  lines.forEach((line, index) => {
    for (const step of line.steps) {
      const [px, py] = [plot.valToPos(step.at, "x"), plot.valToPos(step.value, "y")];
      const distance = Math.hypot(px - left, py - top);
      if (distance < near) {
        near = distance;
        found = { line: index, step, left: px + plot.over.offsetLeft, top: py + plot.over.offsetTop, wide: plot.root.clientWidth };
      }
    }
  });
  return found;
}
