// Which parameters lead where: parallel coordinates, a scatter for each, a map of two, and importance.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { maximizes, outcome } from "../data/derive";
import { percent, tick } from "../data/numbers";
import { jobLink, trialLink, useQuery } from "../data/route";
import { FEWEST_FOR_IMPORTANCE, importance, IMPORTANCE_METHOD, roundStops, scaleOf } from "../data/space";
import type { Job, Trial } from "../data/types";
import { type Axis, type Brushes, chosen, Parallel } from "../charts/parallel";
import { Ramp } from "../charts/ramp";
import { axisOf, Scatter, type ScatterAxis } from "../charts/scatter";
import { Card } from "../parts/basics";
import { State } from "../parts/states";
import type { TabProps } from "./tab";

const MOST_AXES = 12;

export function ParametersTab({ job, trials }: TabProps): JSX.Element {
  const [brushes, setBrushes] = useState<Brushes>({});
  const known = useMemo(() => trials.filter((trial) => Number.isFinite(outcome(trial))), [trials]);
  const scales = useMemo(() => (job.spec.parameters ?? []).map(scaleOf), [job.uid]);
  const goal = useMemo(() => goalOf(job, known), [job, known]);
  const axes = useMemo((): Axis[] => [...scales.slice(0, MOST_AXES).map((scale) => ({ ...scale, of: axisOf(scale).place })), goal.axis], [scales, goal]);
  const inside = useMemo(() => new Set(chosen(axes, known, brushes).map((trial) => trial.name)), [axes, known, brushes]);
  const open = (trial: Trial): void => { location.hash = trialLink(job.namespace, trial.name); };
  if (known.length === 0) return <Card><State icon="curves" title="No results yet"><p>Parameters appear once a trial has ended with a value.</p></State></Card>;
  const brushed = Object.keys(brushes).length > 0;
  const dimmed = (trial: Trial): boolean => brushed && !inside.has(trial.name);
  const numbers = known.filter((trial) => inside.has(trial.name)).map((trial) => trial.number);
  return (
    <div class="stack">
      <Card title="Parallel coordinates" actions={(
        <div class="controls">
          <span class="small muted">{brushed ? `${inside.size} of ${known.length} trials` : "drag along an axis to choose trials"}</span>
          {brushed && <a class="button" href={jobLink(job.namespace, job.name, "curves", { only: numbers.join(",") })}>Their curves</a>}
          {brushed && <button type="button" class="button" onClick={() => setBrushes({})}>Clear</button>}
          <Ramp low={goal.worst} high={goal.best} />
        </div>
      )}>
        <Parallel axes={axes} trials={known} brushes={brushes} onBrush={setBrushes} tone={goal.tone} onOpen={open} />
        {scales.length > MOST_AXES && <p class="small muted">The first {MOST_AXES} of {scales.length} parameters.</p>}
      </Card>
      <div class="grid">
        <div class="span-7"><PairMap job={job} trials={known} scales={scales} goal={goal} dimmed={dimmed} onOpen={open} /></div>
        <div class="span-5"><ImportanceCard job={job} trials={known} /></div>
      </div>
      <Card title={`${job.spec.objective?.metric ?? "Objective"} over each parameter`}>
        <div class="small-multiples">
          {scales.map((scale) => (
            <Scatter key={scale.name} x={axisOf(scale)} y={goal.scatter} trials={known} tone={goal.tone} dimmed={dimmed} height={210} title={`Objective over ${scale.name}`} onOpen={open} />
          ))}
        </div>
      </Card>
    </div>
  );
}

interface Goal { axis: Axis; scatter: ScatterAxis; tone: (trial: Trial) => number; worst: number; best: number }

/** The objective as an axis, and as a colour: by rank, so that one bad trial does not make all others look alike. */
function goalOf(job: Job, trials: Trial[]): Goal {
  const values = trials.map(outcome).sort((a, b) => a - b);
  const [low, high] = [values[0] ?? 0, values.at(-1) ?? 1];
  const place = (value: number): number => (high === low ? 0.5 : (value - low) / (high - low));
  const ticks = roundStops(low, high).map((value) => ({ place: place(value), label: tick(value) }));
  const name = job.spec.objective?.metric ?? "objective";
  const maximize = maximizes(job);
  const ranks = new Map([...trials].sort((a, b) => outcome(a) - outcome(b)).map((trial, index) => [trial.name, index / Math.max(1, trials.length - 1)]));
  const of = (trial: Trial): number => place(outcome(trial));
  return {
    axis: { name, kind: "objective", place: (text) => place(Number(text)), label: (at) => tick(low + at * (high - low)), ticks, of },
    scatter: { name, place: of, ticks },
    tone: (trial) => { const at = ranks.get(trial.name) ?? 0; return maximize ? at : 1 - at; },
    worst: maximize ? low : high,
    best: maximize ? high : low,
  };
}

function PairMap({ job, trials, scales, goal, dimmed, onOpen }: {
  job: Job; trials: Trial[]; scales: ReturnType<typeof scaleOf>[]; goal: Goal; dimmed: (trial: Trial) => boolean; onOpen: (trial: Trial) => void;
}): JSX.Element {
  const ranked = importance(job.spec.parameters ?? [], trials);
  const [first, setFirst] = useQuery("px", ranked?.[0]?.name ?? scales[0]?.name ?? "");
  const [second, setSecond] = useQuery("py", ranked?.[1]?.name ?? scales[1]?.name ?? scales[0]?.name ?? "");
  const [x, y] = [scales.find((scale) => scale.name === first), scales.find((scale) => scale.name === second)];
  const choose = (label: string, value: string, set: (value: string) => void): JSX.Element => (
    <select class="field" aria-label={label} value={value} onChange={(event) => set(event.currentTarget.value)}>
      {scales.map((scale) => <option key={scale.name} value={scale.name}>{scale.name}</option>)}
    </select>
  );
  return (
    <Card title="Map of two" actions={<div class="controls">{choose("Horizontal", first, setFirst)}<span class="muted">by</span>{choose("Vertical", second, setSecond)}</div>}>
      {x && y && <Scatter x={axisOf(x)} y={axisOf(y)} trials={trials} tone={goal.tone} dimmed={dimmed} height={320} title={`${first} by ${second}, coloured by the objective`} onOpen={onOpen} />}
    </Card>
  );
}

function ImportanceCard({ job, trials }: { job: Job; trials: Trial[] }): JSX.Element {
  const found = useMemo(() => importance(job.spec.parameters ?? [], trials), [job.uid, trials]);
  return (
    <Card title="Importance">
      {found ? (
        <div class="stack">
          <ul class="bars">
            {found.map(({ name, share }) => (
              <li key={name}><span title={name}>{name}</span><span class="track"><i style={{ width: `${share * 100}%` }} /></span><span class="number">{percent(share)}</span></li>
            ))}
          </ul>
          <p class="small muted">{IMPORTANCE_METHOD}</p>
        </div>
      ) : <State icon="curves" title={`From ${FEWEST_FOR_IMPORTANCE} results on`}><p>{trials.length} trials have ended with a value. Fewer than {FEWEST_FOR_IMPORTANCE} say too little about what matters.</p></State>}
    </Card>
  );
}
