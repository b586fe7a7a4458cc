// All jobs, of a namespace or of all that the token may see.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { getJson, type Session } from "../data/api";
import { maximizes, runningBest } from "../data/derive";
import { LiveJobs } from "../data/live";
import { ago, duration, moment, num, show } from "../data/numbers";
import { jobLink, link, trialLink, useQuery } from "../data/route";
import type { Counts, Job, Num } from "../data/types";
import { phaseOf } from "../data/words";
import { Card, Phase, useNow } from "../parts/basics";
import { LinkState, Loading, Problem, State, useLive } from "../parts/states";
import { Spark } from "../parts/spark";
import { type Column, Heads, parseSorting, sortRows } from "../parts/table";

const LAST = "tuning-console-namespace";

export function JobsPage({ session, namespace }: { session: Session; namespace?: string }): JSX.Element {
  const live = useLive(() => new LiveJobs(namespace ? `namespaces/${encodeURIComponent(namespace)}/jobs` : "jobs"), namespace ?? "");
  const [words, setWords] = useQuery("q", "");
  const [sort, setSort] = useQuery("sort", "-started");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const now = useNow(30);
  const columns = useMemo(() => columnsOf(now, !namespace, chosen, setChosen), [now, namespace, chosen]);
  const jobs = [...live.jobs.values()];
  const sorting = parseSorting(sort);
  const shown = sortRows(jobs.filter((job) => matches(job, words)), columns, sorting);
  return (
    <>
      <div class="page-head">
        <div>
          <div class="title-row"><h1>Jobs</h1><LinkState live={live} /></div>
          <p class="muted">{summary(jobs)}</p>
        </div>
        <span class="spacer" />
        <div class="controls">
          {chosen.size > 1 && <a class="button primary" href={link(["compare"], { jobs: [...chosen].join(",") })}>Compare {chosen.size}</a>}
          <NamespaceField session={session} namespace={namespace} />
          <input class="field" type="search" size={28} placeholder="Filter: name, phase, metric" aria-label="Filter jobs" value={words}
            onInput={(event) => setWords(event.currentTarget.value)} />
        </div>
      </div>
      {live.link === "failed" && live.error ? <Card><Problem error={live.error} /></Card>
        : live.link === "loading" || (live.link === "waiting" && jobs.length === 0) ? <Loading />
        : jobs.length === 0 ? <Empty namespace={namespace} />
        : (
          <Card plain>
            <div class="table-wrap">
              <table>
                <thead><Heads columns={columns} sorting={sorting} onSort={setSort} /></thead>
                <tbody>
                  {shown.map((job) => (
                    <tr key={job.uid}>{columns.map((column) => <td key={column.key} class={column.number ? "number" : ""}>{column.cell(job)}</td>)}</tr>
                  ))}
                </tbody>
              </table>
              {shown.length === 0 && <State icon="curves" title="No job matches the filter"><button type="button" class="button" onClick={() => setWords("")}>Show all {jobs.length}</button></State>}
            </div>
          </Card>
        )}
    </>
  );
}

function columnsOf(now: number, everywhere: boolean, chosen: ReadonlySet<string>, choose: (chosen: ReadonlySet<string>) => void): Column<Job>[] {
  const key = (job: Job): string => `${job.namespace}/${job.name}`;
  const toggle = (job: Job): void => {
    const next = new Set(chosen);
    if (!next.delete(key(job))) next.add(key(job));
    choose(next);
  };
  return [
    { key: "select", title: "", cell: (job) => <input type="checkbox" aria-label={`Select ${job.name}`} checked={chosen.has(key(job))} onChange={() => toggle(job)} /> },
    {
      key: "name", title: "Job", sort: (job) => job.name,
      cell: (job) => <><a href={jobLink(job.namespace, job.name)}><strong>{job.name}</strong></a><div class="small muted">{everywhere && `${job.namespace} · `}{job.spec.objective?.metric}</div></>,
    },
    { key: "phase", title: "Phase", sort: (job) => phaseOf(job.status.phase).label, cell: (job) => <Phase phase={job.status.phase} pill /> },
    { key: "best", title: "Best", number: true, sort: (job) => num(job.status.bestTrial?.objective), cell: (job) => <Best job={job} /> },
    { key: "trend", title: "Best so far", cell: (job) => <Trend job={job} /> },
    { key: "trials", title: "Trials", sort: (job) => ended(job.status.trialCounts), cell: (job) => <Trials job={job} /> },
    { key: "running", title: "Running", number: true, sort: (job) => job.status.trialCounts?.running ?? 0, cell: (job) => job.status.trialCounts?.running || <span class="faint">–</span> },
    { key: "training", title: "Training", number: true, hint: "Training time of all trials", sort: (job) => job.status.totalTrainingSeconds ?? 0, cell: (job) => duration(job.status.totalTrainingSeconds) },
    { key: "saved", title: "Saved", number: true, hint: "Estimated training time saved by early stopping", sort: saved, cell: (job) => (saved(job) ? duration(saved(job)) : <span class="faint">–</span>) },
    { key: "started", title: "Started", number: true, sort: (job) => job.status.startTime ?? job.created ?? "", cell: (job) => <span class="muted" title={moment(job.status.startTime ?? job.created)}>{ago(job.status.startTime ?? job.created, now)}</span> },
  ];
}

const saved = (job: Job): number => job.status.earlyStopping?.secondsSaved ?? 0;
const ended = (counts: Counts = {}): number => (counts.completed ?? 0) + (counts.earlyStopped ?? 0) + (counts.stopped ?? 0) + (counts.failed ?? 0);

function Best({ job }: { job: Job }): JSX.Element {
  const best = job.status.bestTrial;
  return (
    <>
      <strong>{show(best?.confirmation?.mean ?? best?.objective)}</strong>
      <div class="small">{best ? <a href={trialLink(job.namespace, best.name)}>{best.name}</a> : <span class="faint">{job.spec.objective?.metric}</span>}</div>
    </>
  );
}

function Trials({ job }: { job: Job }): JSX.Element {
  const counts = job.status.trialCounts ?? {};
  const made = Object.values(counts).reduce((sum: number, count) => sum + (count ?? 0), 0);
  const most = Math.max(job.spec.limits?.maxTrials ?? 0, made);
  const parts: [string, string, number][] = [
    ["good", "completed", counts.completed ?? 0], ["stopped", "early stopped", counts.earlyStopped ?? 0],
    ["quiet", "stopped", counts.stopped ?? 0], ["bad", "failed", counts.failed ?? 0], ["running", "running", counts.running ?? 0],
  ];
  const words = parts.filter(([, , count]) => count > 0).map(([, name, count]) => `${count} ${name}`).join(", ");
  return (
    <div title={words}>
      <div class="progress" role="img" aria-label={`${words || "none"} of ${most}`}>
        {parts.map(([tone, name, count]) => count > 0 && <i key={name} class={tone} style={{ width: `${(100 * count) / Math.max(1, most)}%` }} />)}
      </div>
      <div class="small muted">{ended(counts)} of {most}{(counts.earlyStopped ?? 0) > 0 && ` · ${counts.earlyStopped} stopped`}{(counts.paused ?? 0) > 0 && ` · ${counts.paused} paused`}{(counts.failed ?? 0) > 0 && ` · ${counts.failed} failed`}</div>
    </div>
  );
}

/** The sparkline; asked for once for each state of the job. */
function Trend({ job }: { job: Job }): JSX.Element {
  const [values, setValues] = useState<number[] | null>(null);
  const version = `${job.uid}/${ended(job.status.trialCounts)}`;
  useEffect(() => {
    const stop = new AbortController();
    const path = `namespaces/${encodeURIComponent(job.namespace)}/jobs/${encodeURIComponent(job.name)}/best?version=${encodeURIComponent(version)}`;
    getJson<{ objectives: (Num | null)[] }>(path, stop.signal).then(
      ({ objectives }) => setValues(runningBest(objectives.map(num), maximizes(job))),
      () => setValues([]),
    );
    return () => stop.abort();
  }, [version]);
  return values === null ? <span class="bone shimmer" style={{ display: "inline-block", width: "6rem" }} /> : <Spark values={values} />;
}

function NamespaceField({ session, namespace }: { session: Session; namespace: string | undefined }): JSX.Element {
  const known = new Set([...(session.namespaces ?? []), ...(session.namespace ? [session.namespace] : []), localStorage.getItem(LAST) ?? ""]);
  known.delete("");
  const go = (value: string): void => {
    if (value) localStorage.setItem(LAST, value);
    location.hash = value ? link(["ns", value]) : "#/";
  };
  return (
    <>
      <input class="field" list="namespaces" placeholder="All namespaces" aria-label="Namespace" defaultValue={namespace ?? ""}
        onChange={(event) => go(event.currentTarget.value.trim())} />
      <datalist id="namespaces">{[...known].map((name) => <option key={name} value={name} />)}</datalist>
    </>
  );
}

function Empty({ namespace }: { namespace: string | undefined }): JSX.Element {
  return (
    <Card>
      <State icon="curves" title={namespace ? `No tuning jobs in ${namespace}` : "No tuning jobs yet"}>
        <p>A job appears here as soon as it is created, for example by</p>
        <pre class="mono">kubectl apply -f examples/fashion-mnist.yaml</pre>
      </State>
    </Card>
  );
}

function matches(job: Job, words: string): boolean {
  const text = `${job.name} ${job.namespace} ${phaseOf(job.status.phase).label} ${job.spec.objective?.metric ?? ""} ${job.spec.strategy ?? ""}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function summary(jobs: Job[]): string {
  if (jobs.length === 0) return "\u00a0";
  const running = jobs.filter((job) => job.status.phase === "Running").length;
  const trials = jobs.reduce((sum, job) => sum + (job.status.trialCounts?.running ?? 0), 0);
  const all = jobs.reduce((sum, job) => sum + saved(job), 0);
  return [`${jobs.length} ${jobs.length === 1 ? "job" : "jobs"}`, `${running} running, with ${trials} ${trials === 1 ? "trial" : "trials"}`, ...(all ? [`${duration(all)} of training saved`] : [])].join(" · ");
}
