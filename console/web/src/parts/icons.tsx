// Small drawings. A phase has a shape beside its colour.
import type { JSX } from "preact";
import type { Tone } from "../data/words";

const line = { fill: "none", stroke: "currentColor", "stroke-width": "2", "stroke-linecap": "round", "stroke-linejoin": "round" } as const;

const SHAPES: Record<Tone, JSX.Element> = {
  running: <circle cx="8" cy="8" r="4.500" fill="currentColor" />,
  good: <path d="m3 8.500 3.500 3.500L13 4.500" {...line} />,
  stopped: <path d="m4 4 8 8m0-8-8 8" {...line} />,
  bad: <path d="M8 2.500v6.500m0 3.800v.2" {...line} stroke-width="2.800" />,
  quiet: <circle cx="8" cy="8" r="4.500" {...line} />,
};

export function Shape({ tone, pulse }: { tone: Tone; pulse?: boolean }): JSX.Element {
  return (
    <svg viewBox="0 0 16 16" aria-hidden="true" class={`${tone}${pulse ? " pulse" : ""}`}>
      {SHAPES[tone]}
    </svg>
  );
}

const ICONS: Record<string, JSX.Element> = {
  moon: <path d="M13 9.500A5.500 5.500 0 0 1 6.500 3a5.500 5.500 0 1 0 6.500 6.500Z" {...line} stroke-width="1.600" />,
  sun: <g {...line} stroke-width="1.600"><circle cx="8" cy="8" r="3" /><path d="M8 1v1.500M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1" /></g>,
  system: <g {...line} stroke-width="1.600"><rect x="1.500" y="2.500" width="13" height="8.500" rx="1.500" /><path d="M5.500 14h5" /></g>,
  out: <path d="M6.500 2.500h-4v11h4M6 8h8m-3-3 3 3-3 3" {...line} stroke-width="1.600" />,
  up: <path d="m4 10 4-4 4 4" {...line} />,
  down: <path d="m4 6 4 4 4-4" {...line} />,
  curves: <path d="M1.500 13.500C5 13.500 5 4 9 3.500c2-.2 3.500-.2 5.500-.2M1.500 14c3 0 4-4 8-4.500" {...line} stroke-width="1.200" />,
  lock: <g {...line} stroke-width="1.200"><rect x="3" y="7" width="10" height="7" rx="1.500" /><path d="M5 7V5a3 3 0 0 1 6 0v2" /></g>,
  plug: <path d="M5.500 2v3.500m5-3.500v3.500M4 5.500h8v2a4 4 0 0 1-8 0Zm4 6V14" {...line} stroke-width="1.200" />,
};

export function Icon({ name }: { name: string }): JSX.Element {
  return <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">{ICONS[name]}</svg>;
}
