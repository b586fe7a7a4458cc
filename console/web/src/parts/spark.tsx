// A job's best so far in the size of a word.
import type { JSX } from "preact";

export function Spark({ values, width = 96, height = 24 }: { values: number[]; width?: number; height?: number }): JSX.Element {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return <span class="faint">–</span>;
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (index: number): number => 2 + (index / Math.max(1, values.length - 1)) * (width - 7);
  const y = (value: number): number => (high === low ? height / 2 : height - 4 - ((value - low) / (high - low)) * (height - 8));
  let path = "";
  let last = NaN;
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) return;
    path += path === "" ? `M${x(index)} ${y(value)}` : `H${x(index)}V${y(value)}`;
    last = index;
  });
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label="best so far, trial by trial">
      <path d={path} fill="none" stroke="var(--accent)" stroke-width="1.500" stroke-linejoin="round" />
      <circle cx={x(last)} cy={y(values[last] as number)} r="2.400" fill="var(--accent)" />
    </svg>
  );
}
