// All curves, with what to show of them kept in the address.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { XAxis } from "../data/curves";
import { better, valueOf, maximizes } from "../data/derive";
import { trialLink, useQuery } from "../data/route";
import type { Job, Trial } from "../data/types";
import { phaseOf } from "../data/words";
import { Curves } from "../charts/curves";
import { Card, Check, Choice } from "../parts/basics";
import { State } from "../parts/states";
import type { TabProps } from "./tab";

const STATES: [tone: string, label: string][] = [["running", "Running"], ["good", "Completed"], ["stopped", "Early stopped"], ["bad", "Failed"], ["quiet", "Other"]];

export function CurvesTab({ job, trials, now }: TabProps): JSX.Element {
  const [axis, setAxis] = useQuery("x", "epochs") as [XAxis, (value: string) => void];
  const [top, setTop] = useQuery("top", "all");
  const [hidden, setHidden] = useQuery("hide", "");
  const [log, setLog] = useQuery("log", "");
  const [only, setOnly] = useQuery("only", "");
  const shown = useMemo(() => choose(job, trials, top, hidden, only), [job, trials, top, hidden, only]);
  const toggle = (list: string, word: string, set: (value: string) => void): void => {
    const words = new Set(list.split(",").filter(Boolean));
    if (!words.delete(word)) words.add(word);
    set([...words].join(","));
  };
  const flag = (word: string): boolean => log.split(",").includes(word);
  return (
    <Card title={`${job.spec.objective?.metric ?? ""}`} actions={(
      <div class="controls">
        {only && <button type="button" class="button" onClick={() => setOnly("")}>Selected trials only ✕</button>}
        {STATES.filter(([tone]) => trials.some((trial) => phaseOf(trial.phase).tone === tone)).map(([tone, label]) => (
          <Check key={tone} label={label} value={!hidden.split(",").includes(tone)} onChange={() => toggle(hidden, tone, setHidden)} />
        ))}
        <Choice label="How many" value={top} onChange={setTop} options={[["all", "All"], ["10", "Top 10"], ["25", "Top 25"], ["100", "Top 100"]]} />
        <Choice label="Against" value={axis} onChange={setAxis} options={[["epochs", "Epochs"], ["share", "Share"], ["seconds", "Seconds"]]} />
        <Check label="log x" value={flag("x")} onChange={() => toggle(log, "x", setLog)} />
        <Check label="log y" value={flag("y")} onChange={() => toggle(log, "y", setLog)} />
      </div>
    )}>
      {shown.length > 0 ? (
        <>
          <Curves trials={shown} best={job.status.bestTrial?.name} metric={job.spec.objective?.metric ?? ""} axis={axis} logX={flag("x")} logY={flag("y")}
            height={Math.max(420, Math.min(680, innerHeight - 370))} now={now} onOpen={(trial) => { location.hash = trialLink(job.namespace, trial.name); }} />
          <div class="page-head" style={{ margin: "0.4rem 0 0" }}><CurveLegend trials={shown} /><span class="spacer" /><span class="small muted">{shown.length} of {trials.length} trials · drag to zoom, double click to zoom out</span></div>
        </>
      ) : <State icon="curves" title="No curve to show"><p>No trial has reported an epoch yet, or the selection above excludes them all.</p></State>}
    </Card>
  );
}

function choose(job: Job, trials: Trial[], top: string, hidden: string, only: string): Trial[] {
  const gone = hidden.split(",");
  const numbers = only.split(",").filter(Boolean);
  const some = trials.filter((trial) => trial.x.length > 0 && !gone.includes(phaseOf(trial.phase).tone) && (!only || numbers.includes(String(trial.number))));
  const count = Number(top);
  if (!Number.isFinite(count)) return some;
  const maximize = maximizes(job);
  return [...some].sort((a, b) => (better(valueOf(a), valueOf(b), maximize) ? -1 : 1)).slice(0, count);
}

export function CurveLegend({ trials }: { trials: Trial[] }): JSX.Element {
  const line = (tone: string, width: number): JSX.Element => <svg viewBox="0 0 28 14" aria-hidden="true"><path d="M1 10C8 10 10 4 27 3" fill="none" stroke={`var(--${tone})`} stroke-width={width} /></svg>;
  return (
    <div class="legend">
      <span>{line("text", 3)}best</span>
      <span>{line("curve-running", 3)}running</span>
      <span>{line("curve-good", 2)}completed</span>
      <span><svg viewBox="0 0 28 14" aria-hidden="true"><path d="M1 12C6 12 9 8 14 8m-4-4 8 8m0-8-8 8" fill="none" stroke="var(--curve-stopped)" stroke-width="2" /></svg>early stopped at the cross</span>
      <span><svg viewBox="0 0 28 14" aria-hidden="true"><path d="M4 4h20" stroke="var(--curve-stopped)" stroke-width="2" /><path d="M14 4v9" stroke="var(--curve-stopped)" stroke-dasharray="2 2" /></svg>the threshold it missed</span>
      {trials.some((trial) => trial.would) && <span><svg viewBox="0 0 28 14" aria-hidden="true"><circle cx="14" cy="7" r="4.5" fill="none" stroke="var(--curve-stopped)" stroke-width="2" /></svg>would have been stopped, in a dry run</span>}
      <span>{line("curve-bad", 2)}failed</span>
    </div>
  );
}
