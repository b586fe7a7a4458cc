// The job at a glance: curves, best so far, slots, the best parameters, conditions in words.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { type Axis, isRunning, outcomes, trainingSeconds } from "../data/derive";
import { duration, seconds, show, showSetting } from "../data/numbers";
import { jobLink, trialLink, useQuery } from "../data/route";
import type { Job, Trial } from "../data/types";
import { conditions } from "../data/words";
import { Curves } from "../charts/curves";
import { ProgressChart } from "../charts/progress";
import { Card, Choice } from "../parts/basics";
import { Shape } from "../parts/icons";
import { Loading, State } from "../parts/states";
import type { TabProps } from "./tab";
import { CurveLegend } from "./curves";

export function Overview({ job, trials, now, whole }: TabProps): JSX.Element {
  const metric = job.spec.objective?.metric ?? "";
  return (
    <div class="grid">
      <div class="span-8 stack">
        <Card title={`Curves of ${metric}`} actions={<a class="small" href={jobLink(job.namespace, job.name, "curves")}>All curves</a>}>
          {trials.some((trial) => trial.x.length > 0) ? (
            <>
              <Curves trials={trials} best={job.status.bestTrial?.name} metric={metric} axis="epochs" logX={false} logY={false} height={380} now={now}
                onOpen={(trial) => { location.hash = trialLink(job.namespace, trial.name); }} />
              <CurveLegend trials={trials} />
            </>
          ) : !whole ? <Loading rows={4} /> : <State icon="curves" title="No epochs yet"><p>The first curve appears when a training reports its first epoch.</p></State>}
        </Card>
        <BestSoFar job={job} trials={trials} now={now} whole={whole} />
      </div>
      <div class="span-4 stack">
        <Slots job={job} trials={trials} now={now} whole={whole} />
        <BestParameters job={job} />
        <Confirmation job={job} />
        <Card title="Conditions">
          <ul class="said">
            {conditions(job).map((said) => (
              <li key={said.type} title={said.detail}>
                <Shape tone={said.tone} /><span>{said.text}</span>
                {said.detail && said.tone !== "good" && <span class="detail long" title={said.detail}>{said.detail}</span>}
              </li>
            ))}
            {conditions(job).length === 0 && <li class="muted">The operator has not processed the job yet.</li>}
          </ul>
        </Card>
      </div>
    </div>
  );
}

function BestSoFar({ job, trials, now, whole }: TabProps): JSX.Element {
  const [axis, setAxis] = useQuery("x", "cost") as [Axis, (value: string) => void];
  const steps = useMemo(() => outcomes(job, trials, axis), [job, trials, axis]);
  const until = axis === "trials" ? trials.filter((trial) => trial.end).length
    : axis === "clock" ? seconds(job.status.startTime, job.status.completionTime ?? now)
    : trials.reduce((sum, trial) => sum + (trial.end ? (trial.seconds ?? 0) : 0), 0);
  const lines = useMemo(() => [{ name: job.name, steps, until: Number.isFinite(until) ? until : 0 }], [job.name, steps, axis === "clock" ? Math.round(until / 5) : until]);
  return (
    <Card title="Best so far" actions={<Choice label="Against" value={axis} onChange={setAxis} options={[["trials", "Trials"], ["clock", "Clock"], ["cost", "Training time"]]} />}>
      {steps.length > 0
        ? <ProgressChart lines={lines} axis={axis} metric={job.spec.objective?.metric ?? ""} target={job.spec.objective?.target} height={260} />
        : whole ? <State icon="curves" title="No trial has ended yet" /> : <Loading rows={3} />}
    </Card>
  );
}

function Slots({ job, trials, now, whole }: TabProps): JSX.Element {
  const holders = trials.filter((trial) => isRunning(trial) || (trial.phase === "Pending" && trial.created));
  const count = Math.max(job.spec.limits?.maxParallelTrials ?? 1, holders.length);
  const longest = Math.max(0, ...trials.filter((trial) => trial.phase === "Completed").map((trial) => trial.x.at(-1) ?? 0));
  const over = Boolean(job.status.completionTime);
  return (
    <Card title="Slots" actions={<span class="small muted">{holders.length} of {count} held</span>}>
      {!whole && <Loading rows={2} />}
      <ul class="slots">
        {holders.slice(0, 8).map((trial) => <Slot key={trial.name} job={job} trial={trial} now={now} longest={longest} />)}
        {holders.length > 8 && <li class="idle"><span /><span>and {holders.length - 8} more</span></li>}
        {whole && Array.from({ length: Math.min(4, Math.max(0, count - holders.length)) }, (_, index) => (
          <li key={index} class="idle"><Shape tone="quiet" /><span>{over ? "free: the job has ended" : `free: ${whyFree(job)}`}</span></li>
        ))}
      </ul>
    </Card>
  );
}

function Slot({ job, trial, now, longest }: { job: Job; trial: Trial; now: number; longest: number }): JSX.Element {
  const epoch = trial.x.at(-1);
  return (
    <li>
      <Shape tone={trial.phase === "Pending" ? "quiet" : "running"} pulse={trial.phase === "Running"} />
      <span>
        <a href={trialLink(job.namespace, trial.name)}>{trial.name}</a>
        <div class="small muted">{trial.phase === "Pending" ? `waits ${duration(seconds(trial.attemptTime ?? trial.created, now))}${trial.reason ? `: ${trial.reason}` : ""}`
          : `${trial.phase === "Running" ? "trains" : trial.phase.toLowerCase()} for ${duration(trainingSeconds(trial, now))}${epoch === undefined ? "" : `, epoch ${show(epoch)}`}`}</div>
      </span>
      <strong>{show(trial.y.at(-1))}</strong>
      {longest > 0 && epoch !== undefined && <span class="bar" title={`epoch ${show(epoch)}; completed trials had ${show(longest)}`}><i style={{ width: `${Math.min(100, (100 * epoch) / longest)}%` }} /></span>}
    </li>
  );
}

function whyFree(job: Job): string {
  const is = (type: string, status: string): boolean => (job.status.conditions ?? []).some((each) => each.type === type && each.status === status);
  if (job.spec.suspend || is("Suspended", "True")) return "the job is suspended";
  if (is("QuotaExceeded", "True")) return "the quota is used up";
  if (is("Stalled", "True")) return "trials fail";
  if (is("ParentsReady", "False")) return "the parent jobs must end first";
  const counts = job.status.trialCounts ?? {};
  const made = Object.values(counts).reduce((sum: number, each) => sum + (each ?? 0), 0);
  return made >= (job.spec.limits?.maxTrials ?? Infinity) ? "no trials are left to start" : "the next trial is being proposed";
}

/** The best settings of the search, and how they do with other seeds. */
function Confirmation({ job }: { job: Job }): JSX.Element | null {
  const found = job.status.confirmation;
  if (!found) return null;
  return (
    <Card title="Confirmation" actions={<span class="small muted">{found.progress} trainings</span>}>
      <dl class="facts">
        {(found.settings ?? []).map((setting) => [
          <dt key={setting.trial}><a href={trialLink(job.namespace, setting.trial)}>{setting.trial}</a></dt>,
          <dd key={`${setting.trial}=`} title={`${show(setting.objective)} in the search; ${setting.repetitions ?? 0} other seeds`}>
            {setting.mean === undefined ? "–" : show(setting.mean)}{setting.standardDeviation !== undefined && <span class="muted"> ± {show(setting.standardDeviation)}</span>}
          </dd>,
        ])}
      </dl>
      <p class="small muted">{found.message}</p>
    </Card>
  );
}

function BestParameters({ job }: { job: Job }): JSX.Element | null {
  const best = job.status.bestTrial;
  if (!best) return null;
  return (
    <Card title="Best parameters" actions={<a class="small" href={trialLink(job.namespace, best.name)}>{best.name}</a>}>
      <dl class="facts">
        {Object.entries(best.parameters ?? {}).map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name}=`} class="mono">{showSetting(value)}</dd>])}
        {Object.entries(job.spec.staticParameters ?? {}).map(([name, value]) => [<dt key={name}>{name} <span class="faint">fixed</span></dt>, <dd key={`${name}=`} class="mono">{value}</dd>])}
      </dl>
    </Card>
  );
}
