// Axes, grid, zoom and cursor by uPlot; what is on them its callers draw, so that a thousand curves are one path each.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useWidth } from "../parts/basics";
import { colour, useThemeCount } from "../theme";

export type Pair = [number, number];
export interface Pointer { left: number; top: number; plot: uPlot }

export interface PlaneProps {
  label: string;
  x: Pair;
  y: Pair;
  logX?: boolean;
  logY?: boolean;
  xName: string;
  xText?: (value: number) => string;
  /** Whether x are seconds, for ticks at whole minutes and hours. */
  xTime?: boolean;
  /** Whether x are whole numbers, such as epochs mostly are. */
  xWhole?: boolean;
  yText: (value: number) => string;
  height: number;
  draw: (context: CanvasRenderingContext2D, plot: uPlot) => void;
  /** Drawn above, in its own layer, whenever `hovered` changes. */
  over?: (context: CanvasRenderingContext2D, plot: uPlot) => void;
  hovered?: unknown;
  onPoint?: (pointer: Pointer | null) => void;
  onClick?: () => void;
  onKey?: (key: string) => boolean;
  children?: ComponentChildren;
}

export function Plane(props: PlaneProps): JSX.Element {
  const [box, width] = useWidth<HTMLDivElement>();
  const host = useRef<HTMLDivElement>(null);
  const layer = useRef<HTMLCanvasElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const theme = useThemeCount();
  const kind = `${props.xWhole}/${props.logX}/${props.logY}/${props.xName}/${props.height}`;

  useEffect(() => {
    if (!host.current || width === 0) return;
    const made = make(latest, width, host.current);
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [width > 0, kind, theme]);

  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height: latest.current.height });
  }, [width]);

  // New data: redrawn on the axes as they are; zoomed in, they stay.
  useEffect(() => {
    const made = plot.current;
    if (made) made.setData(made.data, true);
  }, [props.draw, ...props.x, ...props.y]);

  useEffect(() => {
    const [made, canvas] = [plot.current, layer.current];
    if (!made || !canvas) return;
    const { width: wide, height: high } = made.ctx.canvas;
    if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
    const context = canvas.getContext("2d");
    context?.clearRect(0, 0, wide, high);
    if (context) clipped(context, made, () => latest.current.over?.(context, made));
  }, [props.hovered, props.draw, width, theme]);

  return (
    <div class="chart" ref={box} tabIndex={props.onKey ? 0 : undefined} role={props.onKey ? "application" : "img"} aria-label={props.label}
      style={{ height: `${props.height}px` }}
      onKeyDown={(event) => {
        if (props.onKey?.(event.key)) event.preventDefault();
      }}>
      <div ref={host} />
      <canvas class="overlay" ref={layer} aria-hidden="true" />
      {props.children}
    </div>
  );
}

const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_419_200];
const WHOLE = Array.from({ length: 7 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat();

function make(latest: { current: PlaneProps }, width: number, host: HTMLElement): uPlot {
  let zoom: { x: Pair; y: Pair } | null = null;
  const axis: uPlot.Axis = {
    stroke: () => colour("muted"),
    font: '11.5px system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", sans-serif',
    grid: { stroke: () => colour("grid"), width: 1 },
    ticks: { show: false },
  };
  const props = latest.current;
  const options: uPlot.Options = {
    width,
    height: props.height,
    legend: { show: false },
    padding: [14, 16, 0, 4],
    cursor: { drag: { x: true, y: true, uni: 24, setScale: false }, points: { show: false }, x: true, y: false },
    scales: {
      x: { time: false, distr: props.logX ? 3 : 1, range: () => zoom?.x ?? latest.current.x },
      y: { distr: props.logY ? 3 : 1, range: () => zoom?.y ?? latest.current.y },
    },
    axes: [
      { ...axis, label: props.xName, labelFont: axis.font as string, labelSize: 18, size: 28, gap: 6, space: props.xTime ? 100 : 70, ...(props.xTime ? { incrs: TIMES } : props.xWhole ? { incrs: WHOLE } : {}),
        values: (_, values) => values.map((value) => (value === null ? "" : (latest.current.xText ?? String)(value))) },
      { ...axis, size: (_, values) => 14 + 6.6 * Math.max(3, ...(values ?? []).map((value) => value.length)), gap: 6, space: 38,
        values: (_, values) => values.map((value) => (value === null ? "" : latest.current.yText(value))) },
    ],
    series: [{}, { show: true, stroke: "transparent", points: { show: false } }],
    hooks: {
      draw: [(plot) => clipped(plot.ctx, plot, () => latest.current.draw(plot.ctx, plot))],
      setCursor: [(plot) => {
        const { left = -1, top = -1 } = plot.cursor;
        latest.current.onPoint?.(left < 0 ? null : { left, top, plot });
      }],
      setSelect: [(plot) => {
        const { left, top, width: wide, height: high } = plot.select;
        if (wide < 4 && high < 4) return;
        const x: Pair = wide < 4 ? (zoom?.x ?? latest.current.x) : [plot.posToVal(left, "x"), plot.posToVal(left + wide, "x")];
        const y: Pair = high < 4 || high >= plot.over.clientHeight ? (zoom?.y ?? latest.current.y) : [plot.posToVal(top + high, "y"), plot.posToVal(top, "y")];
        zoom = { x, y };
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        plot.setData(plot.data, true);
      }],
    },
  };
  const made = new uPlot(options, [[0, 1], [null, null]], host);
  made.over.addEventListener("dblclick", () => {
    zoom = null;
    made.setData(made.data, true);
  });
  made.over.addEventListener("click", () => latest.current.onClick?.());
  return made;
}

function clipped(context: CanvasRenderingContext2D, plot: uPlot, draw: () => void): void {
  const { left, top, width, height } = plot.bbox;
  const more = 6 * devicePixelRatio;
  context.save();
  context.beginPath();
  context.rect(left - more, top - more, width + 2 * more, height + 2 * more);
  context.clip();
  draw();
  context.restore();
}

/** Bounds of what is shown, with a little air; on a log axis what is not positive is left out. */
export function boundsOf(values: Iterable<number>, log: boolean): Pair {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value) || (log && value <= 0)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return log ? [0.1, 1] : [0, 1];
  if (log) return low === high ? [low / 2, high * 2] : [low / 1.15, high * 1.15];
  const air = low === high ? Math.abs(low) * 0.1 || 1 : (high - low) * 0.06;
  return [low - air, high + air];
}
