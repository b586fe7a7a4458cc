// Trials as dots: the objective over one parameter, or a map of two with the objective as colour.
import type { JSX, TargetedPointerEvent } from "preact";
import { useState } from "preact/hooks";
import { outcome } from "../data/derive";
import { show } from "../data/numbers";
import type { Scale } from "../data/space";
import type { Trial } from "../data/types";
import { useWidth } from "../parts/basics";
import { ramp } from "./ramp";

export interface ScatterAxis { name: string; place: (trial: Trial) => number; ticks: { place: number; label: string }[] }

export const axisOf = (scale: Scale): ScatterAxis => ({ name: scale.name, place: (trial) => scale.place(trial.parameters?.[scale.name]), ticks: scale.ticks });

export function Scatter({ x, y, trials, tone, dimmed, height, title, onOpen }: {
  x: ScatterAxis; y: ScatterAxis; trials: Trial[]; tone: (trial: Trial) => number; dimmed: (trial: Trial) => boolean;
  height: number; title: string; onOpen: (trial: Trial) => void;
}): JSX.Element {
  const [box, width] = useWidth<HTMLDivElement>();
  const [near, setNear] = useState<Trial | null>(null);
  const pad = { left: 14 + 6.4 * Math.max(3, ...y.ticks.map((tick) => Math.min(9, tick.label.length))), right: 12, top: 8, bottom: 36 };
  const px = (place: number): number => pad.left + place * (width - pad.left - pad.right);
  const py = (place: number): number => height - pad.bottom - place * (height - pad.top - pad.bottom);
  const dots = trials.flatMap((trial) => {
    const [at, up] = [x.place(trial), y.place(trial)];
    return Number.isFinite(at) && Number.isFinite(up) ? [{ trial, cx: px(at), cy: py(up) }] : [];
  });
  const move = (event: TargetedPointerEvent<SVGSVGElement>): void => {
    const at = event.currentTarget.getBoundingClientRect();
    const [left, top] = [event.clientX - at.left, event.clientY - at.top];
    let [found, reach] = [null as Trial | null, 16];
    for (const dot of dots) {
      const distance = Math.hypot(dot.cx - left, dot.cy - top);
      if (distance < reach) [found, reach] = [dot.trial, distance];
    }
    setNear(found);
  };
  const shown = near && dots.find((dot) => dot.trial.name === near.name);
  return (
    <div class="chart" ref={box} style={{ height: `${height}px` }}>
      {width > 0 && (
        <svg class="plot" width={width} height={height} role="img" aria-label={title} onPointerMove={move} onPointerLeave={() => setNear(null)} onClick={() => near && onOpen(near)}>
          {y.ticks.map((tick) => <g key={tick.label}><line class="grid-line" x1={pad.left} x2={width - pad.right} y1={py(tick.place)} y2={py(tick.place)} /><text x={pad.left - 6} y={py(tick.place) + 3.5} text-anchor="end">{cut(tick.label, 9)}</text></g>)}
          {x.ticks.map((tick) => <g key={tick.label}><line class="grid-line" x1={px(tick.place)} x2={px(tick.place)} y1={pad.top} y2={height - pad.bottom} /><text x={px(tick.place)} y={height - pad.bottom + 15} text-anchor="middle">{cut(tick.label, 9)}</text></g>)}
          <text class="name" x={(pad.left + width - pad.right) / 2} y={height - 4} text-anchor="middle">{cut(x.name, 32)}</text>
          {dots.map(({ trial, cx, cy }) => (
            <circle key={trial.name} class={`dot${trial === near ? " chosen" : ""}`} cx={cx} cy={cy} r={trial === near ? 6 : trials.length > 200 ? 3 : 4.5} fill={ramp(tone(trial))} opacity={dimmed(trial) ? 0.12 : 1} />
          ))}
        </svg>
      )}
      {near && shown && (
        <div class="tip" style={{ top: `${Math.max(0, shown.cy - 56)}px`, ...(shown.cx > width / 2 ? { right: `${width - shown.cx + 12}px` } : { left: `${shown.cx + 12}px` }) }}>
          <header><span>{near.name}</span><span>{show(outcome(near))}</span></header>
          <dl>{Object.entries(near.parameters ?? {}).slice(0, 8).map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}=`}>{value}</dd>])}</dl>
        </div>
      )}
    </div>
  );
}

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
