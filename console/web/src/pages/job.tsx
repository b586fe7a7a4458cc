// A job: its headline numbers, and a tab for each way to look at it.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { getJson } from "../data/api";
import { byNumber, hasEnded, isRunning, isSearched, totalSeconds } from "../data/derive";
import { LiveJob } from "../data/live";
import { ago, duration, moment, percent, seconds, show } from "../data/numbers";
import { jobLink, trialLink } from "../data/route";
import type { Job, Trial } from "../data/types";
import { conditions, reasonInWords } from "../data/words";
import { Card, Phase, type StatLine, Stats, useNow } from "../parts/basics";
import { Manifest } from "../parts/manifest";
import { LinkState, Loading, Problem, useAnswer, useLive } from "../parts/states";
import { CurvesTab } from "./curves";
import { Overview } from "./overview";
import { ParametersTab } from "./parameters";
import type { TabProps } from "./tab";
import { TimelineTab } from "./timeline";
import { TrialsTab } from "./trials";
import { WhatIfTab } from "./what-if";

const TABS: [key: string, title: string][] = [["overview", "Overview"], ["curves", "Curves"], ["parameters", "Parameters"], ["trials", "Trials"], ["timeline", "Timeline"], ["what-if", "What if"], ["manifest", "Manifest"]];

export function JobPage({ namespace, name, tab }: { namespace: string; name: string; tab: string }): JSX.Element {
  const live = useLive(() => new LiveJob(`namespaces/${encodeURIComponent(namespace)}/jobs/${encodeURIComponent(name)}`), `${namespace}/${name}`);
  const now = useNow(live.job && !live.job.status.completionTime ? 1 : 60);
  const trials = useMemo(() => byNumber(live.trials.values()), [live, live.change]);
  const { job } = live;
  const tabs = useRef<HTMLElement>(null);
  useEffect(() => tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" }), [tab, job === null]);
  const whole = live.link !== "loading";
  if (!job) return live.error && live.link === "failed" ? <Card><Problem whole error={live.error} /></Card> : <Loading />;
  return (
    <>
      <div class="page-head">
        <div>
          <div class="title-row"><h1>{job.name}</h1><Phase phase={job.status.phase} pill /><LinkState live={live} /></div>
          <p class="muted">
            {job.spec.objective?.goal === "Minimize" ? "Minimizes" : "Maximizes"} <strong>{job.spec.objective?.metric}</strong>
            {" · "}{job.spec.strategy ?? "Bayesian"}{" · "}<span title={moment(job.status.startTime ?? job.created)}>started {ago(job.status.startTime ?? job.created, now)}</span>
            {job.status.completionReason && ` · ended: ${reasonInWords(job.status.completionReason)}`}
          </p>
        </div>
      </div>
      {live.link === "deleted" && <div class="notice bad"><p>The job has been deleted. This page shows its last known state.</p></div>}
      {live.link === "failed" && live.error && <div class="notice bad" role="alert"><p><strong>This page is no longer updated.</strong> {live.error.source === "apiserver" && "The API server says: "}{live.error.message}</p></div>}
      <Attention job={job} />
      <Stats lines={headline(job, whole ? trials : null, now)} />
      <nav class="tabs" aria-label="Views of the job" ref={tabs}>
        {TABS.map(([key, title]) => (
          <a key={key} href={jobLink(namespace, name, key === "overview" ? undefined : key)} aria-current={key === tab ? "page" : undefined}>
            {title}{key === "trials" && " "}{key === "trials" && <span class="count">{trials.length}</span>}
          </a>
        ))}
      </nav>
      <Tab tab={tab} job={job} trials={trials} now={now} whole={whole} />
    </>
  );
}

function Tab({ tab, ...props }: TabProps & { tab: string }): JSX.Element {
  switch (tab) {
    case "curves": return <CurvesTab {...props} />;
    case "parameters": return <ParametersTab {...props} />;
    case "trials": return <TrialsTab {...props} />;
    case "timeline": return <TimelineTab {...props} />;
    case "what-if": return <WhatIfTab {...props} />;
    case "manifest": return <ManifestTab job={props.job} />;
    default: return <Overview {...props} />;
  }
}

function ManifestTab({ job }: { job: Job }): JSX.Element {
  const path = `namespaces/${encodeURIComponent(job.namespace)}/jobs/${encodeURIComponent(job.name)}/manifest`;
  const answer = useAnswer((signal) => getJson<{ manifest: unknown }>(path, signal), `${path}/${job.version}`);
  return (
    <Card title="As stored in the API server" plain>
      {answer.error ? <Problem error={answer.error} /> : answer.value ? <Manifest body={answer.value.manifest} /> : <div class="body"><Loading rows={4} /></div>}
    </Card>
  );
}

/** What needs attention, before all numbers. */
function Attention({ job }: { job: Job }): JSX.Element | null {
  const wants = conditions(job).filter((said) => said.tone === "bad" || said.tone === "stopped");
  if (wants.length === 0) return null;
  return (
    <>
      {wants.map((said) => (
        <div key={said.type} class={`notice ${said.tone}`}>
          <p><strong>{said.text}.</strong> <span class="muted">{said.detail}</span></p>
        </div>
      ))}
    </>
  );
}

/** From the trials themselves, or from what the job says of them while they are being read. */
function headline(job: Job, trials: Trial[] | null, now: number): StatLine[] {
  const { status, spec } = job;
  const counts = status.trialCounts ?? {};
  const done = trials ? trials.filter((trial) => isSearched(trial) && hasEnded(trial)).length : (counts.completed ?? 0) + (counts.earlyStopped ?? 0) + (counts.stopped ?? 0) + (counts.failed ?? 0);
  const training = trials ? totalSeconds(trials, now) : (status.totalTrainingSeconds ?? 0);
  const saving = status.earlyStopping?.secondsSaved ?? 0;
  const clock = seconds(status.startTime, status.completionTime ?? now);
  const best = status.bestTrial;
  const dry = spec.earlyStopping?.dryRun;
  return [
    { label: "Best", lead: true, value: show(best?.confirmation?.mean ?? best?.objective), title: best?.confirmation ? `Mean of ${best.confirmation.repetitions} trainings with other seeds, ± ${show(best.confirmation.standardDeviation)}` : best?.epoch === undefined ? undefined : `The value of epoch ${show(best.epoch)}`, note: best ? <a href={trialLink(job.namespace, best.name)}>{best.name}</a> : "none yet" },
    { label: "Trials", value: <>{done}<span class="faint"> / {spec.limits?.maxTrials ?? "all"}</span></>, note: `${counts.completed ?? 0} completed` },
    { label: "Running", value: trials ? trials.filter(isRunning).length : (counts.running ?? 0), note: `of ${spec.limits?.maxParallelTrials ?? 1} in parallel${counts.paused ? `, ${counts.paused} paused` : ""}` },
    { label: "Early stopped", value: counts.earlyStopped ?? 0, note: done ? `${percent((counts.earlyStopped ?? 0) / done)} of ${done} ended` : undefined },
    { label: "Failed", value: counts.failed ?? 0, note: spec.limits?.maxFailedTrials ? `at most ${spec.limits.maxFailedTrials}` : undefined },
    { label: "Training", value: duration(training), note: status.cost ? costOf(status.cost) : "of all trials", title: "The sum over all trials: the bill" },
    dry
      ? { label: "Would have saved", value: duration(status.earlyStopping?.wouldSaveSeconds ?? 0), note: status.earlyStopping?.wouldMissBest ? "but the best trial" : "in a dry run" }
      : { label: "Saved", value: saving ? duration(saving) : "–", note: saving ? `${percent(saving / (saving + training))} of all cost` : spec.earlyStopping?.type === "Off" || !spec.earlyStopping ? "early stopping is off" : "nothing yet", title: status.earlyStopping?.message ?? "" },
    { label: "Clock", value: duration(clock), note: status.idleSeconds ? `${duration(status.idleSeconds)} idle` : undefined },
  ];
}

/** What has ended so far in GPU hours, and in money where a price is known. */
function costOf({ gpuHours, spent, currency }: NonNullable<Job["status"]["cost"]>): string {
  return [gpuHours && `${gpuHours} GPU hours`, spent && `${spent} ${currency ?? ""}`.trim()].filter(Boolean).join(", ");
}
