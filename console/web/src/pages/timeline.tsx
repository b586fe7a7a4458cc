// What happened when: each trial's waits and attempts, with Events beside it.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { getJson } from "../data/api";
import { trainingSeconds } from "../data/derive";
import { clock, duration, moment, seconds, tickDuration } from "../data/numbers";
import { trialLink } from "../data/route";
import type { Job, KubeEvent, Trial } from "../data/types";
import { phaseOf } from "../data/words";
import { Card, useWidth } from "../parts/basics";
import { Loading, Problem, State, useAnswer } from "../parts/states";
import type { TabProps } from "./job";

const LANE = 22;
const LEFT = 132;
const TOP = 26;
export interface Span { from: number; to: number; kind: "wait" | "earlier" | "attempt"; title: string }

export function TimelineTab({ job, trials, now }: TabProps): JSX.Element {
  const path = `namespaces/${encodeURIComponent(job.namespace)}/jobs/${encodeURIComponent(job.name)}/events`;
  const counted = Object.values(job.status.trialCounts ?? {}).join("/");
  const events = useAnswer((signal) => getJson<{ events: KubeEvent[] }>(path, signal), `${path}/${counted}`);
  const sorted = useMemo(() => [...(events.value?.events ?? [])].sort((a, b) => Date.parse(b.time ?? "") - Date.parse(a.time ?? "")), [events.value]);
  if (trials.length === 0) return <Card><State icon="curves" title="Nothing has happened yet" /></Card>;
  return (
    <div class="grid">
      <div class="span-8"><Card title="Trials" plain actions={<LaneLegend />}><Lanes job={job} trials={trials} events={sorted} now={now} /></Card></div>
      <div class="span-4">
        <Card title="Events" plain>
          {events.error ? <Problem error={events.error} /> : !events.value ? <div class="body"><Loading rows={4} /></div>
            : sorted.length === 0 ? <State icon="curves" title="No Events"><p>Kubernetes keeps them for an hour, unless the cluster says otherwise.</p></State>
            : <ol class="events" tabIndex={0} aria-label="Events, the newest first">{sorted.map((event, index) => (
                <li key={index} title={moment(event.time)}>
                  <span class="muted">{clock(event.time)}</span>
                  <strong class={event.type === "Warning" ? "bad" : ""}>{event.reason}{(event.count ?? 1) > 1 && ` × ${event.count}`}</strong>
                  <p>{event.message}</p>
                </li>
              ))}</ol>}
        </Card>
      </div>
    </div>
  );
}

/** When a trial waited and trained. Of attempts before the current one only the sum of their training is known. */
export function spans(trial: Trial, start: number, now: number): Span[] {
  const at = (time: string | undefined): number => (time ? (Date.parse(time) - start) / 1000 : NaN);
  const [created, decided, began] = [at(trial.created), at(trial.attemptTime), at(trial.start)];
  const ended = trial.end ? at(trial.end) : (now - start) / 1000;
  const found: Span[] = [];
  const add = (from: number, to: number, kind: Span["kind"], title: string): void => {
    if (to > from) found.push({ from, to, kind, title: `${title}: ${duration(to - from)}` });
  };
  const asked = Number.isFinite(decided) ? decided : created;
  if (Number.isFinite(decided) && created < decided) add(created, decided, "earlier", `earlier attempts (now number ${trial.attempt ?? 1})`);
  if (Number.isFinite(began)) {
    if (asked <= began) add(asked, began, "wait", "waits for its Pod");
    add(began, ended, "attempt", `${phaseOf(trial.phase).label}, trained ${duration(trainingSeconds(trial, now))}`);
  } else add(asked, ended, "wait", "waits for its Pod");
  return found;
}

function Lanes({ job, trials, events, now }: { job: Job; trials: Trial[]; events: KubeEvent[]; now: number }): JSX.Element {
  const [box, width] = useWidth<HTMLDivElement>();
  const times = trials.flatMap((trial) => [Date.parse(trial.created ?? ""), Date.parse(trial.start ?? "")]).filter(Number.isFinite);
  const start = Math.min(Date.parse(job.status.startTime ?? job.created ?? ""), ...times.filter((time) => time >= Date.parse(job.status.startTime ?? "")));
  const end = Math.max(job.status.completionTime ? Date.parse(job.status.completionTime) : now, ...trials.map((trial) => Date.parse(trial.end ?? "")).filter(Number.isFinite));
  const total = Math.max(1, (end - start) / 1000);
  const x = (second: number): number => LEFT + (Math.min(total, Math.max(0, second)) / total) * (width - LEFT - 24);
  const pause = suspendedSince(job, start);
  const height = TOP + trials.length * LANE + 8;
  const warnings = events.filter((event) => event.type === "Warning");
  return (
    <div class="lanes" ref={box} tabIndex={0} role="region" aria-label="When each trial waited and trained">
      {width > 0 && (
        <svg class="plot" width={width} height={height}>
          {ticks(total, Math.max(3, Math.floor(width / 110))).map((second) => (
            <g key={second}><line class="grid-line" x1={x(second)} x2={x(second)} y1={TOP - 6} y2={height} /><text x={x(second)} y={14} text-anchor="middle">{tickDuration(second)}</text></g>
          ))}
          {pause !== undefined && (
            <g><rect x={x(pause)} width={Math.max(2, x(total) - x(pause))} y={TOP - 6} height={height} fill="var(--line)" opacity={0.55}><title>suspended</title></rect><text x={x(pause) + 6} y={height - 6}>suspended</text></g>
          )}
          {trials.map((trial, index) => {
            const top = TOP + index * LANE;
            const { tone } = phaseOf(trial.phase);
            const own = spans(trial, start, now);
            return (
              <g key={trial.name}>
                <a href={trialLink(job.namespace, trial.name)}><text x={LEFT - 10} y={top + 14} text-anchor="end">{trial.name.length > 18 ? `…${trial.name.slice(-17)}` : trial.name}</text></a>
                {own.map((span) => (
                  <rect key={span.kind} class="lane-bar" x={x(span.from)} width={Math.max(1.5, x(span.to) - x(span.from))} y={span.kind === "attempt" ? top + 4 : top + 8} height={span.kind === "attempt" ? 14 : 6} rx={3}
                    fill={span.kind === "wait" ? "var(--line-strong)" : span.kind === "earlier" ? "var(--curve-bad)" : `var(--curve-${tone})`} opacity={span.kind === "earlier" ? 0.55 : 1}><title>{`${trial.name} ${span.title}`}</title></rect>
                ))}
                {warnings.filter((event) => event.message?.startsWith(`${trial.name}:`)).map((event, number) => (
                  <path key={number} d={`M${x(seconds(new Date(start).toISOString(), event.time))} ${top + 2}l5 9h-10z`} fill="var(--bad)" stroke="var(--surface)"><title>{`${event.reason}: ${event.message}`}</title></path>
                ))}
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}

/** Seconds after the start at which the suspension that lasts began. */
function suspendedSince(job: Job, start: number): number | undefined {
  const condition = (job.status.conditions ?? []).find((each) => each.type === "Suspended" && each.status === "True");
  return condition && Math.max(0, (Date.parse(condition.lastTransitionTime) - start) / 1000);
}

const STEPS = [1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800];

export function ticks(total: number, most: number): number[] {
  const step = STEPS.find((each) => total / each <= most) ?? total;
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, index) => index * step);
}

function LaneLegend(): JSX.Element {
  const bar = (name: string): JSX.Element => <svg viewBox="0 0 28 14" aria-hidden="true"><rect y="2" width="28" height="10" rx="3" fill={`var(--${name})`} /></svg>;
  return (
    <div class="legend">
      <span>{bar("line-strong")}waits</span><span>{bar("curve-running")}running</span><span>{bar("curve-good")}completed</span>
      <span>{bar("curve-stopped")}early stopped</span><span>{bar("curve-bad")}failed, earlier attempts</span><span><svg viewBox="0 0 28 14" aria-hidden="true"><path d="M14 2l6 10h-12z" fill="var(--bad)" /></svg>warning</span>
    </div>
  );
}
