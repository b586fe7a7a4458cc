// All curves of a job on one plane: running ones bold, stopped ones with a cross where the decision fell.
import type { JSX } from "preact";
import { useCallback, useMemo, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { decisionOf, type Drawn, judged, prepare, search, type XAxis } from "../data/curves";
import { num, show, tick, tickDuration } from "../data/numbers";
import type { Trial } from "../data/types";
import { phaseOf } from "../data/words";
import { Phase } from "../parts/basics";
import { colour } from "../theme";
import { cross, dot, label, ring, trace } from "./drawing";
import { boundsOf, Plane, type Pointer } from "./plane";

interface Hover { index: number; at: number; left: number; top: number }

const NAMES: Record<XAxis, string> = { epochs: "epoch", share: "share of the longest curve", seconds: "training time (spread evenly over a trial's epochs)" };

export function Curves({ trials, best, metric, axis, logX, logY, height, onOpen, now }: {
  trials: Trial[]; best: string | undefined; metric: string; axis: XAxis; logX: boolean; logY: boolean;
  height: number; onOpen: (trial: Trial) => void; now: number;
}): JSX.Element {
  const [hover, setHover] = useState<Hover | null>(null);
  const plot = useRef<uPlot | null>(null);
  const drawn = useMemo(() => prepare(trials, axis, now), [trials, axis, axis === "seconds" ? now : 0]);
  const order = useMemo(() => drawn.map((_, index) => index).sort((a, b) => rank(drawn[a]!.trial, best) - rank(drawn[b]!.trial, best)), [drawn, best]);
  const x = useMemo(() => {
    const [low, high] = boundsOf(drawn.flatMap((each) => [each.x[0]!, each.x.at(-1)!]), logX);
    return logX ? ([low, high] as [number, number]) : ([Math.min(low, 0) < 0 ? 0 : low, high] as [number, number]);
  }, [drawn, logX]);
  const y = useMemo(() => boundsOf(everyValue(drawn), logY), [drawn, logY]);
  const whole = useMemo(() => drawn.every((each) => each.trial.x.every(Number.isInteger)), [drawn]);
  const draw = useCallback((context: CanvasRenderingContext2D, made: uPlot) => {
    plot.current = made;
    drawAll(context, made, drawn, order, best);
  }, [drawn, order, best]);
  const over = (context: CanvasRenderingContext2D, made: uPlot): void => {
    const each = hover && drawn[hover.index];
    if (each) drawOne(context, made, each, hover.at);
  };
  const point = (pointer: Pointer | null): void => setHover(pointer && nearest(drawn, pointer));
  const key = (name: string): boolean => {
    if (name === "Enter" && hover) onOpen(drawn[hover.index]!.trial);
    else if (name === "Escape") setHover(null);
    else if (name.startsWith("Arrow") && plot.current) setHover((before) => step(drawn, before, name, plot.current!));
    else return false;
    return true;
  };
  const shown = hover ? drawn[hover.index] : undefined;
  return (
    <Plane label={`Curves of ${metric} of ${drawn.length} trials. Arrow keys go from epoch to epoch and from curve to curve, Enter opens a trial.`}
      x={x} y={y} logX={logX} logY={logY} xName={NAMES[axis]} xTime={axis === "seconds"} xWhole={axis === "epochs" && whole} xText={axis === "seconds" ? tickDuration : axis === "share" ? (value) => `${Math.round(value * 100)} %` : tick}
      yText={tick} height={height} draw={draw} over={over} hovered={hover && `${hover.index}/${hover.at}`} onPoint={point} onKey={key}
      onClick={() => shown && onOpen(shown.trial)}>
      {hover && shown && <Tip trial={shown.trial} at={hover.at} left={hover.left} top={hover.top} metric={metric} />}
    </Plane>
  );
}

function* everyValue(drawn: Drawn[]): Generator<number> {
  for (const each of drawn) {
    yield* each.trial.y;
    // A curve's threshold is drawn beside it and has to fit.
    const decision = decisionOf(each.trial);
    if (decision) yield num(decision.threshold);
  }
}

function rank(trial: Trial, best: string | undefined): number {
  if (trial.name === best) return 4;
  return trial.phase === "Running" ? 3 : { good: 2, stopped: 1, bad: 0, quiet: 0, running: 3 }[phaseOf(trial.phase).tone];
}

function drawAll(context: CanvasRenderingContext2D, plot: uPlot, drawn: Drawn[], order: number[], best: string | undefined): void {
  const many = drawn.length > 60;
  const tones = new Map(["running", "good", "stopped", "bad", "quiet"].map((tone) => [tone, colour(`curve-${tone}`)]));
  context.lineJoin = "round";
  for (const index of order) {
    const each = drawn[index]!;
    const tone = phaseOf(each.trial.phase).tone;
    const isBest = each.trial.name === best;
    context.strokeStyle = isBest ? colour("text") : tones.get(tone)!;
    context.lineWidth = devicePixelRatio * (isBest || drawn.length === 1 ? 2.4 : tone === "running" ? 2.4 : many ? 0.9 : 1.3);
    context.globalAlpha = isBest || tone === "running" ? 1 : many ? 0.34 : 0.8;
    trace(context, plot, { x: each.x, y: each.trial.y });
    context.globalAlpha = 1;
    if (decisionOf(each.trial)) drawDecision(context, plot, each, tones.get("stopped")!, !many);
  }
  for (const each of drawn) drawEnd(context, plot, each, best);
}

/** A cross at the epoch that was judged, a ring in a dry run, and a short line at the threshold that it missed. */
function drawDecision(context: CanvasRenderingContext2D, plot: uPlot, each: Drawn, ink: string, threshold: boolean): void {
  const place = judged(each);
  if (!place) return;
  const [px, py] = [plot.valToPos(place.x, "x", true), plot.valToPos(place.y, "y", true)];
  const limit = num(decisionOf(each.trial)?.threshold);
  const scale = devicePixelRatio;
  context.strokeStyle = ink;
  if (threshold && Number.isFinite(limit)) {
    const pt = plot.valToPos(limit, "y", true);
    context.lineWidth = scale;
    context.setLineDash([2 * scale, 3 * scale]);
    context.beginPath();
    context.moveTo(px, py);
    context.lineTo(px, pt);
    context.stroke();
    context.setLineDash([]);
    context.lineWidth = 1.6 * scale;
    context.beginPath();
    context.moveTo(px - 9 * scale, pt);
    context.lineTo(px + 9 * scale, pt);
    context.stroke();
  }
  context.lineWidth = 2 * scale;
  const size = (threshold ? 4.2 : 2.6) * scale;
  if (each.trial.decision) cross(context, px, py, size);
  else ring(context, px, py, size);
}

function drawEnd(context: CanvasRenderingContext2D, plot: uPlot, each: Drawn, best: string | undefined): void {
  const value = each.trial.y.at(-1)!;
  if (!Number.isFinite(value)) return;
  const [px, py] = [plot.valToPos(each.x.at(-1)!, "x", true), plot.valToPos(value, "y", true)];
  const [isBest, isRunning] = [each.trial.name === best, phaseOf(each.trial.phase).tone === "running"];
  if (!isBest && !isRunning) return;
  context.fillStyle = isBest ? colour("text") : colour("curve-running");
  dot(context, px, py, 3.4 * devicePixelRatio);
  if (isBest) label(context, `best ${show(value)}`, px - 8 * devicePixelRatio, py - 12 * devicePixelRatio, colour("text"), colour("surface"), "right");
}

function drawOne(context: CanvasRenderingContext2D, plot: uPlot, each: Drawn, at: number): void {
  const scale = devicePixelRatio;
  context.lineJoin = "round";
  context.strokeStyle = colour("surface");
  context.lineWidth = 6 * scale;
  trace(context, plot, { x: each.x, y: each.trial.y });
  context.strokeStyle = colour(`curve-${phaseOf(each.trial.phase).tone}`);
  context.lineWidth = 2.6 * scale;
  trace(context, plot, { x: each.x, y: each.trial.y });
  const decision = decisionOf(each.trial);
  const limit = num(decision?.threshold);
  if (decision && Number.isFinite(limit)) {
    const { left, width } = plot.bbox;
    const py = plot.valToPos(limit, "y", true);
    context.strokeStyle = colour("curve-stopped");
    context.lineWidth = 1.2 * scale;
    context.setLineDash([5 * scale, 4 * scale]);
    context.beginPath();
    context.moveTo(left, py);
    context.lineTo(left + width, py);
    context.stroke();
    context.setLineDash([]);
    label(context, `threshold ${show(limit)}`, left + width - 4 * scale, py - 9 * scale, colour("stopped"), colour("surface"), "right");
    drawDecision(context, plot, each, colour("curve-stopped"), true);
  }
  const value = each.trial.y[at];
  if (value === undefined || !Number.isFinite(value)) return;
  context.fillStyle = colour("text");
  dot(context, plot.valToPos(each.x[at]!, "x", true), plot.valToPos(value, "y", true), 4 * scale);
}

const REACH = 40;

/** The curve and point closest to the pointer, within reach. */
export function nearest(drawn: Drawn[], { left, top, plot }: Pointer): Hover | null {
  const want = plot.posToVal(left, "x");
  const offset = { left: plot.over.offsetLeft, top: plot.over.offsetTop };
  let found: Hover | null = null;
  let closest = REACH;
  drawn.forEach((each, index) => {
    const after = search(each.x, want);
    for (const at of [after - 1, after]) {
      const value = each.trial.y[at];
      if (value === undefined || !Number.isFinite(value)) continue;
      const py = plot.valToPos(value, "y");
      if (Math.abs(py - top) >= closest) continue;
      const px = plot.valToPos(each.x[at]!, "x");
      const distance = Math.hypot((px - left) * 0.6, py - top);
      if (distance < closest) {
        closest = distance;
        found = { index, at, left: px + offset.left, top: py + offset.top };
      }
    }
  });
  return found;
}

function step(drawn: Drawn[], before: Hover | null, key: string, plot: uPlot): Hover | null {
  if (drawn.length === 0) return null;
  const now = before ?? { index: 0, at: 0, left: 0, top: 0 };
  let { index, at } = now;
  if (key === "ArrowLeft") at--;
  if (key === "ArrowRight") at++;
  if (key === "ArrowUp" || key === "ArrowDown") {
    const order = drawn.map((_, each) => each).sort((a, b) => (drawn[b]!.trial.y.at(-1) ?? 0) - (drawn[a]!.trial.y.at(-1) ?? 0));
    const place = order.indexOf(index) + (key === "ArrowUp" ? -1 : 1);
    index = order[Math.min(order.length - 1, Math.max(0, place))]!;
  }
  const each = drawn[index]!;
  at = Math.min(each.x.length - 1, Math.max(0, at));
  const value = each.trial.y[at]!;
  return { index, at, left: plot.valToPos(each.x[at]!, "x") + plot.over.offsetLeft, top: plot.valToPos(value, "y") + plot.over.offsetTop };
}

function Tip({ trial, at, left, top, metric }: { trial: Trial; at: number; left: number; top: number; metric: string }): JSX.Element {
  const [side, setSide] = useState({ width: 800, room: Infinity });
  const place = left > side.width / 2 ? { right: `${side.width - left + 14}px` } : { left: `${left + 14}px` };
  return (
    <div class="tip" role="status" ref={(element) => {
      const chart = element?.parentElement;
      if (!chart) return;
      const [width, room] = [chart.clientWidth, chart.clientHeight - element.offsetHeight];
      if (width !== side.width || room !== side.room) setSide({ width, room });
    }} style={{ top: `${Math.max(4, Math.min(top - 30, side.room))}px`, ...place }}>
      <header><span>{trial.name}</span><Phase phase={trial.phase} /></header>
      <dl>
        <dt>epoch {show(trial.x[at])}</dt><dd>{show(trial.y[at])}</dd>
        {Object.entries(trial.parameters ?? {}).slice(0, 6).map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}=`}>{show(value) === "NaN" ? value : show(value)}</dd>])}
      </dl>
      {trial.decision?.message && <p class="why">{trial.decision.message}</p>}
      {!trial.decision && trial.would?.message && <p class="why">Would have been stopped: {trial.would.message}</p>}
      <span class="hidden">{metric}</span>
    </div>
  );
}
