// Parallel coordinates: an axis a parameter and one for the objective; a brush on an axis chooses trials.
import type { JSX, TargetedKeyboardEvent, TargetedPointerEvent } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { outcome } from "../data/derive";
import { show } from "../data/numbers";
import type { Scale } from "../data/space";
import type { Trial } from "../data/types";
import { useWidth } from "../parts/basics";
import { colour, useThemeCount } from "../theme";
import { ramp } from "./ramp";

export type Brushes = Record<string, [low: number, high: number]>;
const HEIGHT = 330;
// Axes closer than this have names on top of each other; then the chart scrolls.
const NARROWEST = 120;
const PAD = { top: 34, bottom: 20, left: 70, right: 70 };

export interface Axis extends Scale { of: (trial: Trial) => number }

export function Parallel({ axes, trials, brushes, onBrush, tone, onOpen }: {
  axes: Axis[]; trials: Trial[]; brushes: Brushes; onBrush: (brushes: Brushes) => void; tone: (trial: Trial) => number; onOpen: (trial: Trial) => void;
}): JSX.Element {
  const [box, seen] = useWidth<HTMLDivElement>();
  const width = seen && Math.max(seen, PAD.left + PAD.right + NARROWEST * (axes.length - 1));
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useThemeCount();
  const [near, setNear] = useState<Trial | null>(null);
  const xOf = (index: number): number => PAD.left + (index * (width - PAD.left - PAD.right)) / Math.max(1, axes.length - 1);
  const places = useMemo(() => trials.map((trial) => axes.map((axis) => axis.of(trial))), [trials, axes]);
  const inside = useMemo(() => trials.map((_, row) => axes.every((axis, column) => within(places[row]![column]!, brushes[axis.name]))), [places, brushes]);

  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !canvas.current || width === 0) return;
    const scale = devicePixelRatio;
    canvas.current.width = width * scale;
    canvas.current.height = HEIGHT * scale;
    context.scale(scale, scale);
    const paint = (row: number, ink: string, wide: number, alpha: number): void => {
      context.strokeStyle = ink;
      context.lineWidth = wide;
      context.globalAlpha = alpha;
      line(context, places[row]!, xOf);
    };
    const order = trials.map((_, row) => row).sort((a, b) => tone(trials[a]!) - tone(trials[b]!));
    const many = trials.length > 100;
    for (const row of order) if (!inside[row]) paint(row, colour("line-strong"), 1, many ? 0.18 : 0.4);
    for (const row of order) if (inside[row]) paint(row, ramp(tone(trials[row]!)), many ? 1 : 1.6, many ? 0.55 : 0.9);
    if (near) paint(trials.indexOf(near), colour("text"), 2.6, 1);
  }, [width, places, inside, near, theme]);

  const move = (event: TargetedPointerEvent<SVGSVGElement>): void => {
    const at = event.currentTarget.getBoundingClientRect();
    setNear(closest(trials, places, inside, event.clientX - at.left, event.clientY - at.top, xOf, axes.length));
  };
  return (
    <div class="sideways" ref={box} {...(width > seen && { tabIndex: 0, role: "region", "aria-label": "Parallel coordinates" })}>
    <div class="chart" style={{ height: `${HEIGHT}px`, ...(width > 0 && { width: `${width}px` }) }}>
      <canvas ref={canvas} class="overlay" aria-hidden="true" />
      <svg class="plot" height={HEIGHT} width={width} style={{ position: "absolute", inset: 0 }} role="group" aria-label={`Parallel coordinates of ${trials.length} trials over ${axes.map((axis) => axis.name).join(", ")}`}
        onPointerMove={move} onPointerLeave={() => setNear(null)} onClick={() => near && onOpen(near)}>
        {axes.map((axis, index) => <AxisLine key={axis.name} axis={axis} x={xOf(index)} last={index === axes.length - 1} brush={brushes[axis.name]}
          onBrush={(brush) => onBrush(withBrush(brushes, axis.name, brush))} />)}
      </svg>
      {near && (
        <div class="tip" style={{ top: `${PAD.top}px`, left: `${Math.min(width - 260, Math.max(0, xOf(0) + 20))}px` }}>
          <header><span>{near.name}</span><span>{show(outcome(near))}</span></header>
          <dl>{Object.entries(near.parameters ?? {}).map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}=`}>{value}</dd>])}</dl>
        </div>
      )}
    </div>
    </div>
  );
}

function AxisLine({ axis, x, last, brush, onBrush }: {
  axis: Axis; x: number; last: boolean; brush: [number, number] | undefined; onBrush: (brush: [number, number] | null) => void;
}): JSX.Element {
  const from = useRef<number | null>(null);
  const span = HEIGHT - PAD.top - PAD.bottom;
  const placeAt = (event: TargetedPointerEvent<SVGRectElement>): number => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, 1 - (event.clientY - box.top) / box.height));
  };
  const key = (event: TargetedKeyboardEvent<SVGRectElement>): void => {
    const step = event.key === "ArrowUp" ? 0.05 : event.key === "ArrowDown" ? -0.05 : 0;
    if (event.key === "Escape") onBrush(null);
    else if (step) {
      const [low, high] = brush ?? [0, 1];
      onBrush(event.shiftKey ? [low, clamp(high + step)] : [clamp(low + step), high]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <g>
      <text class="name" x={x} y={14} text-anchor="middle">{axis.name.length > 18 ? `${axis.name.slice(0, 17)}…` : axis.name}<title>{axis.name} ({axis.kind})</title></text>
      <line class="axis" x1={x} x2={x} y1={PAD.top} y2={HEIGHT - PAD.bottom} />
      {axis.ticks.map((tick) => {
        const y = PAD.top + (1 - tick.place) * span;
        return <text key={tick.label} x={x + (last ? 7 : -7)} y={y + 3.5} text-anchor={last ? "start" : "end"}>{tick.label.length > 10 ? `${tick.label.slice(0, 9)}…` : tick.label}</text>;
      })}
      {brush && <rect class="brush" x={x - 7} width={14} y={PAD.top + (1 - brush[1]) * span} height={Math.max(1, (brush[1] - brush[0]) * span)} rx={3} />}
      <rect class="catch" x={x - 12} width={24} y={PAD.top} height={span} tabindex={0} role="slider" aria-orientation="vertical"
        aria-label={`Brush on ${axis.name}: arrows move the lower end, with Shift the upper end, Escape clears`} aria-valuemin={0} aria-valuemax={1} aria-valuenow={brush?.[0] ?? 0}
        aria-valuetext={brush ? `${axis.label(brush[0])} to ${axis.label(brush[1])}` : "all"} onKeyDown={key}
        onPointerDown={(event) => { from.current = placeAt(event); event.currentTarget.setPointerCapture(event.pointerId); event.stopPropagation(); }}
        onPointerMove={(event) => {
          if (from.current === null) return;
          const at = placeAt(event);
          onBrush([Math.min(from.current, at), Math.max(from.current, at)]);
        }}
        onPointerUp={(event) => { if (from.current !== null && Math.abs(placeAt(event) - from.current) < 0.015) onBrush(null); from.current = null; }}
        onClick={(event) => event.stopPropagation()} />
    </g>
  );
}

const clamp = (value: number): number => Math.min(1, Math.max(0, value));
const within = (place: number, brush: [number, number] | undefined): boolean => !brush || (place >= brush[0] - 1e-9 && place <= brush[1] + 1e-9);

export function chosen(axes: Axis[], trials: Trial[], brushes: Brushes): Trial[] {
  return trials.filter((trial) => axes.every((axis) => within(axis.of(trial), brushes[axis.name])));
}

function withBrush(brushes: Brushes, name: string, brush: [number, number] | null): Brushes {
  const { [name]: _, ...others } = brushes;
  return brush ? { ...others, [name]: brush } : others;
}

const yOf = (place: number): number => PAD.top + (1 - place) * (HEIGHT - PAD.top - PAD.bottom);

function line(context: CanvasRenderingContext2D, places: number[], xOf: (index: number) => number): void {
  context.beginPath();
  let pen = false;
  places.forEach((place, index) => {
    if (Number.isNaN(place)) {
      pen = false;
      return;
    }
    if (pen) {
      const [before, x] = [xOf(index - 1), xOf(index)];
      const middle = (before + x) / 2;
      context.bezierCurveTo(middle, yOf(places[index - 1]!), middle, yOf(place), x, yOf(place));
    } else context.moveTo(xOf(index), yOf(place));
    pen = true;
  });
  context.stroke();
}

function closest(trials: Trial[], places: number[][], inside: boolean[], x: number, y: number, xOf: (index: number) => number, count: number): Trial | null {
  const right = Math.min(count - 1, Math.max(1, Array.from({ length: count }, (_, index) => index).findIndex((index) => xOf(index) >= x)));
  const [a, b] = [xOf(right - 1), xOf(right)];
  const share = clamp((x - a) / (b - a));
  const smooth = share * share * (3 - 2 * share);
  let found: Trial | null = null;
  let near = 12;
  trials.forEach((trial, row) => {
    const [from, to] = [places[row]![right - 1]!, places[row]![right]!];
    const distance = Math.abs(yOf(from + (to - from) * smooth) - y);
    if (inside[row] && distance < near) [found, near] = [trial, distance];
  });
  return found;
}
