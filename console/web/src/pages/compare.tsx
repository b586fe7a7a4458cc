// Several jobs on one plane: what each had reached at which cost.
import type { JSX } from "preact";
import { useEffect, useMemo, useReducer } from "preact/hooks";
import { type Axis, maximizes, outcomes, totalSeconds } from "../data/derive";
import { LiveJob } from "../data/live";
import { duration, seconds, show } from "../data/numbers";
import { jobLink, link, trialLink, useQuery } from "../data/route";
import { ProgressChart } from "../charts/progress";
import { Card, Check, Choice, Phase, useNow } from "../parts/basics";
import { Loading, Problem, State } from "../parts/states";
import { useThemeCount, colour } from "../theme";

// A browser has six connections to a host: one is left for everything else.
const MOST = 5;
/** Okabe and Ito's, which all kinds of colour vision tell apart; by theme. */
const INKS = { light: ["#0072b2", "#d55e00", "#009e73", "#a6478c", "#8a6d00", "#3b8fc4"], dark: ["#56b4e9", "#e69f00", "#3cc79b", "#e39bc4", "#f0e442", "#d97941"] };

export function ComparePage(): JSX.Element {
  const [listed] = useQuery("jobs", "");
  const [axis, setAxis] = useQuery("x", "cost") as [Axis, (value: string) => void];
  const [log, setLog] = useQuery("log", "");
  const theme = useThemeCount();
  const now = useNow(10);
  const names = listed.split(",").filter((name) => name.includes("/")).slice(0, MOST);
  const lives = useJobs(names);
  const inks = INKS[document.documentElement.dataset["theme"] === "dark" ? "dark" : "light"];
  const changes = lives.map((live) => live.change).join("/");
  const lines = useMemo(() => lives.flatMap((live, index) => {
    const { job } = live;
    if (!job) return [];
    const trials = [...live.trials.values()];
    const until = axis === "trials" ? trials.filter((trial) => trial.end).length : axis === "clock" ? seconds(job.status.startTime, job.status.completionTime ?? now) : trials.reduce((sum, trial) => sum + (trial.end ? (trial.seconds ?? 0) : 0), 0);
    return [{ name: job.name, steps: outcomes(job, trials, axis), until: Number.isFinite(until) ? until : 0, ink: inks[index] ?? colour("text") }];
  }), [changes, axis, theme, now]);
  const jobs = lives.flatMap((live) => (live.job ? [live.job] : []));
  const metrics = new Set(jobs.map((job) => `${maximizes(job)} ${job.spec.objective?.metric}`));
  if (names.length === 0) return <Card><State whole icon="curves" title="Nothing to compare"><p>Select at least two jobs in <a href="#/">the list</a>.</p></State></Card>;
  return (
    <>
      <div class="page-head">
        <div><h1>Compare</h1><p class="muted">What each job had reached, and at what cost.</p></div>
        <span class="spacer" />
        <Check label="log y" value={log === "y"} onChange={(on) => setLog(on ? "y" : "")} />
        <Choice label="Against" value={axis} onChange={setAxis} options={[["trials", "Trials"], ["clock", "Clock"], ["cost", "Training time"]]} />
      </div>
      {metrics.size > 1 && <div class="notice"><p><strong>The jobs have different objectives.</strong> <span class="muted">Their curves are not on one scale: {[...new Set(jobs.map((job) => job.spec.objective?.metric))].join(", ")}.</span></p></div>}
      {lives.map((live, index) => live.link === "failed" && live.error && <Card key={names[index]} title={names[index]}><Problem error={live.error} /></Card>)}
      <div class="stack">
        <Card title={jobs[0]?.spec.objective?.metric ?? "Best so far"}>
          {lines.length > 0 ? <ProgressChart lines={lines} axis={axis} metric={jobs[0]?.spec.objective?.metric ?? ""} height={440} logY={log === "y"} /> : <Loading rows={3} />}
        </Card>
        <Card plain>
          <div class="table-wrap">
            <table>
              <thead><tr><th scope="col">Job</th><th scope="col">Phase</th><th scope="col" class="number">Best</th><th scope="col">By</th><th scope="col" class="number">Trials</th><th scope="col" class="number">Early stopped</th><th scope="col" class="number">Training</th><th scope="col" class="number">Saved</th><th scope="col" class="number">Clock</th><th scope="col"><span class="hidden">Remove</span></th></tr></thead>
              <tbody>
                {lives.map((live, index) => live.job && (
                  <tr key={live.job.uid}>
                    <td><span class="legend"><span><svg viewBox="0 0 28 14" aria-hidden="true"><path d="M1 11h10V4h16" fill="none" stroke={inks[index]} stroke-width="3" /></svg><a href={jobLink(live.job.namespace, live.job.name)}><strong>{live.job.name}</strong></a></span></span></td>
                    <td><Phase phase={live.job.status.phase} /></td>
                    <td class="number"><strong>{show(live.job.status.bestTrial?.objective)}</strong></td>
                    <td>{live.job.status.bestTrial && <a href={trialLink(live.job.namespace, live.job.status.bestTrial.name)}>{live.job.status.bestTrial.name}</a>}</td>
                    <td class="number">{live.trials.size}</td>
                    <td class="number">{live.job.status.trialCounts?.earlyStopped ?? 0}</td>
                    <td class="number">{duration(totalSeconds(live.trials.values(), now))}</td>
                    <td class="number">{live.job.status.earlyStopping?.secondsSaved ? duration(live.job.status.earlyStopping.secondsSaved) : "–"}</td>
                    <td class="number">{duration(seconds(live.job.status.startTime, live.job.status.completionTime ?? now))}</td>
                    <td><a class="small" aria-label={`Remove ${live.job.name}`} href={link(["compare"], { jobs: names.filter((name) => name !== names[index]).join(",") })}>remove</a></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Card>
      </div>
    </>
  );
}

/** One live job for each name. */
function useJobs(names: string[]): LiveJob[] {
  const key = names.join(",");
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const lives = useMemo(() => names.map((name) => {
    const [namespace = "", job = ""] = name.split("/");
    return new LiveJob(`namespaces/${encodeURIComponent(namespace)}/jobs/${encodeURIComponent(job)}`, true);
  }), [key]);
  useEffect(() => {
    for (const live of lives) {
      live.subscribe(() => redraw(undefined));
      void live.run();
    }
    return () => lives.forEach((live) => live.close());
  }, [lives]);
  return lives;
}
