// What happened when: each trial's waits and attempts, with Events beside it.
import type { JSX } from "preact";
import { getJson } from "../data/api";
import { bySlot, type Lane, spans, suspendedSince, ticks } from "../data/lanes";
import { clock, moment, tickDuration } from "../data/numbers";
import { trialLink, useQuery } from "../data/route";
import type { Job, KubeEvent, Trial } from "../data/types";
import { phaseOf } from "../data/words";
import { Card, Choice, useWidth } from "../parts/basics";
import { Loading, Problem, State, useAnswer } from "../parts/states";
import type { TabProps } from "./tab";

const LANE = 22;
// Of a letter in a name of 11 px, on average.
const LETTER = 6.2;
const LONGEST_NAME = 30;
const TOP = 26;
// With more trials than this a line for each says little at a glance.
const MANY = 60;

export function TimelineTab({ job, trials, now }: TabProps): JSX.Element {
  const path = `namespaces/${encodeURIComponent(job.namespace)}/jobs/${encodeURIComponent(job.name)}/events`;
  const counted = Object.values(job.status.trialCounts ?? {}).join("/");
  const events = useAnswer((signal) => getJson<{ events: KubeEvent[] }>(path, signal), `${path}/${counted}`);
  const newest = events.value?.events ?? [];
  const [lines, setLines] = useQuery("lines", trials.length > MANY ? "slot" : "trial");
  if (trials.length === 0) return <Card><State icon="curves" title="Nothing has happened yet" /></Card>;
  return (
    <div class="grid">
      <div class="span-8">
        <Card plain title={<Choice label="A line for each" value={lines} onChange={setLines} options={[["trial", "Trials"], ["slot", "Slots"]]} />} actions={<LaneLegend />}>
          <Lanes job={job} lanes={lines === "slot" ? bySlot(trials, now) : trials.map((trial) => ({ name: trial.name, href: trialLink(job.namespace, trial.name), trials: [trial] }))} events={newest} now={now} />
        </Card>
      </div>
      <div class="span-4">
        <Card title="Events" plain>
          {events.error ? <Problem error={events.error} /> : !events.value ? <div class="body"><Loading rows={4} /></div>
            : newest.length === 0 ? <State icon="curves" title="No Events"><p>By default, Kubernetes keeps them for an hour.</p></State>
            : <ol class="events" tabIndex={0} aria-label="Events, the newest first">{newest.map((event, index) => (
                <li key={index} title={moment(event.time)}>
                  <span class="muted">{clock(event.time, now)}</span>
                  <strong class={event.type === "Warning" ? "bad" : ""}>{event.reason}{(event.count ?? 1) > 1 && ` × ${event.count}`}</strong>
                  <p>{event.message}</p>
                </li>
              ))}</ol>}
        </Card>
      </div>
    </div>
  );
}

function Lanes({ job, lanes, events, now }: { job: Job; lanes: Lane[]; events: KubeEvent[]; now: number }): JSX.Element {
  const [box, width] = useWidth<HTMLDivElement>();
  const trials = lanes.flatMap((lane) => lane.trials);
  const times = trials.flatMap((trial) => [Date.parse(trial.created ?? ""), Date.parse(trial.start ?? "")]).filter(Number.isFinite);
  const start = Math.min(Date.parse(job.status.startTime ?? job.created ?? ""), ...times.filter((time) => time >= Date.parse(job.status.startTime ?? "")));
  const end = Math.max(job.status.completionTime ? Date.parse(job.status.completionTime) : now, ...trials.map((trial) => Date.parse(trial.end ?? "")).filter(Number.isFinite));
  const total = Math.max(1, (end - start) / 1000);
  const letters = Math.min(width < 600 ? 12 : LONGEST_NAME, Math.max(...lanes.map((lane) => lane.name.length)));
  const left = 20 + LETTER * letters;
  const x = (second: number): number => left + (Math.min(total, Math.max(0, second)) / total) * (width - left - 24);
  const pause = suspendedSince(job, start);
  const height = TOP + lanes.length * LANE + 8;
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
          {lanes.map((lane, index) => (
            <g key={lane.name}>
              <LaneName lane={lane} x={left - 10} letters={letters} y={TOP + index * LANE + 14} />
              {lane.trials.map((trial) => <TrialBars key={trial.name} job={job} trial={trial} top={TOP + index * LANE} x={x} start={start} now={now} warnings={warnings} />)}
            </g>
          ))}
        </svg>
      )}
    </div>
  );
}

/** The end of a long name tells trials apart. */
function LaneName({ lane, x, y, letters }: { lane: Lane; x: number; y: number; letters: number }): JSX.Element {
  const text = <text x={x} y={y} text-anchor="end">{lane.name.length > letters ? `…${lane.name.slice(1 - letters)}` : lane.name}<title>{lane.name}</title></text>;
  return lane.href ? <a href={lane.href}>{text}</a> : text;
}

function TrialBars({ job, trial, top, x, start, now, warnings }: {
  job: Job; trial: Trial; top: number; x: (second: number) => number; start: number; now: number; warnings: KubeEvent[];
}): JSX.Element {
  const { tone } = phaseOf(trial.phase);
  const fills = { wait: "var(--line-strong)", earlier: "var(--curve-bad)", paused: "var(--faint)", attempt: `var(--curve-${tone})` };
  const heights = { wait: 6, earlier: 6, paused: 2, attempt: 14 };
  const own = warnings.filter((event) => event.message?.startsWith(`${trial.name}:`));
  return (
    <a href={trialLink(job.namespace, trial.name)} aria-label={trial.name} tabindex={-1}>
      {spans(trial, start, now).map((span) => (
        <rect key={span.from} x={x(span.from)} width={Math.max(1.5, x(span.to) - x(span.from) - 0.5)} y={top + 11 - heights[span.kind] / 2} height={heights[span.kind]} rx={Math.min(3, heights[span.kind] / 2)}
          fill={fills[span.kind]} opacity={span.kind === "earlier" ? 0.55 : 1}><title>{`${trial.name} ${span.title}`}</title></rect>
      ))}
      {own.map((event, number) => (
        <path key={number} d={`M${x((Date.parse(event.time ?? "") - start) / 1000)} ${top + 2}l5 9h-10z`} fill="var(--bad)" stroke="var(--surface)"><title>{`${event.reason}: ${event.message}`}</title></path>
      ))}
    </a>
  );
}

function LaneLegend(): JSX.Element {
  const bar = (name: string, height = 10): JSX.Element => <svg viewBox="0 0 28 14" aria-hidden="true"><rect y={7 - height / 2} width="28" height={height} rx={Math.min(3, height / 2)} fill={`var(--${name})`} /></svg>;
  return (
    <div class="legend">
      <span>{bar("line-strong", 6)}waits</span><span>{bar("faint", 2)}paused</span><span>{bar("curve-running")}running</span><span>{bar("curve-good")}completed</span>
      <span>{bar("curve-stopped")}early stopped</span><span>{bar("curve-bad")}failed, earlier attempts</span><span><svg viewBox="0 0 28 14" aria-hidden="true"><path d="M14 2l6 10h-12z" fill="var(--bad)" /></svg>warning</span>
    </div>
  );
}
