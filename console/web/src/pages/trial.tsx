// A trial: its curve and the decision about it, all metrics, attempts and Pods, log, manifest.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { getJson, getText } from "../data/api";
import { trainingSeconds } from "../data/derive";
import { merge } from "../data/live";
import { ago, duration, moment, percent, show, showSetting } from "../data/numbers";
import { jobLink, trialLink, useQuery } from "../data/route";
import type { ContainerState, Job, KubeEvent, Pod, Trial, TrialRow } from "../data/types";
import { Curves } from "../charts/curves";
import { Card, Choice, Phase, type StatLine, Stats, useNow } from "../parts/basics";
import { Manifest } from "../parts/manifest";
import { Loading, Problem, State, useAnswer } from "../parts/states";

interface Answered { trial: TrialRow; job: Job; manifest: unknown }
const REFRESH_MS = 5_000;

export function TrialPage({ namespace, name }: { namespace: string; name: string }): JSX.Element {
  const path = `namespaces/${encodeURIComponent(namespace)}/trials/${encodeURIComponent(name)}`;
  const now = useNow(5);
  const [ended, setEnded] = useState(false);
  const answer = useAnswer(async (signal) => {
    const value = await getJson<Answered>(path, signal);
    setEnded(Boolean(value.trial.end));
    return value;
  }, `${path}/${ended ? "" : Math.floor(now / REFRESH_MS)}`);
  const trial = useMemo(() => (answer.value ? merge(undefined, answer.value.trial) : null), [answer.value]);
  if (answer.error) return <Card><Problem whole error={answer.error} /></Card>;
  if (!answer.value || !trial) return <Loading />;
  const { job } = answer.value;
  return (
    <>
      <div class="page-head">
        <div>
          <div class="title-row"><h1>{trial.name}</h1><Phase phase={trial.phase} pill />{job.status.bestTrial?.name === trial.name && <span class="phase pill running">best of the job</span>}{trial.confirms !== undefined && <a class="phase pill" href={trialLink(job.namespace, `${job.name}-${String(trial.confirms).padStart(4, "0")}`)}>trains trial {trial.confirms} again, with another seed</a>}</div>
          <p class="muted">trial {trial.number} of <a href={jobLink(namespace, job.name)}>{job.name}</a>{trial.start && <> · <span title={moment(trial.start)}>started {ago(trial.start, now)}</span></>}{trial.source && ` · proposed by ${trial.source}`}</p>
        </div>
        <span class="spacer" />
        <Neighbours namespace={namespace} job={job} number={trial.number} />
      </div>
      <Verdict trial={trial} />
      <Stats lines={headline(job, trial, now)} />
      <div class="grid">
        <div class="span-8 stack">
          <Card title={job.spec.objective?.metric ?? "Objective"}>
            {trial.x.length > 0 ? <Curves trials={[trial]} best={undefined} metric={job.spec.objective?.metric ?? ""} axis="epochs" logX={false} logY={false} height={330} now={now} onOpen={() => undefined} />
              : <State icon="curves" title="No epoch has been reported" />}
          </Card>
          <Details path={path} namespace={namespace} manifest={answer.value.manifest} counted={`${trial.phase}/${trial.attempt}`} />
        </div>
        <div class="span-4 stack">
          <Card title="Parameters">
            <dl class="facts">
              {Object.entries(trial.parameters ?? {}).map(([key, value]) => [<dt key={key}>{key}</dt>, <dd key={`${key}=`} class="mono" title={value}>{showSetting(value)}</dd>])}
              {Object.entries(job.spec.staticParameters ?? {}).map(([key, value]) => [<dt key={key}>{key} <span class="faint">fixed</span></dt>, <dd key={`${key}=`} class="mono">{value}</dd>])}
            </dl>
          </Card>
          <Card title="Last values of all metrics">
            {Object.keys(trial.metrics ?? {}).length > 0
              ? <dl class="facts">{Object.entries(trial.metrics ?? {}).map(([key, value]) => [<dt key={key}>{key}</dt>, <dd key={`${key}=`}>{show(value)}</dd>])}</dl>
              : <p class="muted">They arrive when the training ends{trial.end ? "; this one's Pod was gone before they were read" : ""}.</p>}
          </Card>
        </div>
      </div>
    </>
  );
}

/** The reason for its current status, in the operator's sentence. */
function Verdict({ trial }: { trial: Trial }): JSX.Element | null {
  const decision = trial.decision ?? trial.would;
  const words = decision?.message ?? trial.message;
  if (!words) return null;
  const title = trial.decision ? `Stopped: ${trial.decision.reason}` : trial.would ? `Would have been stopped: ${trial.would.reason}` : (trial.reason ?? "");
  return <div class={`notice ${trial.phase === "Failed" ? "bad" : ""}`}><p><strong>{title}.</strong> {words}</p></div>;
}

function headline(job: Job, trial: Trial, now: number): StatLine[] {
  const total = job.status.totalTrainingSeconds ?? 0;
  const own = trainingSeconds(trial, now);
  return [
    { label: "Objective", lead: true, value: show(trial.objective ?? trial.y.at(-1)), note: `${trial.objectiveEpoch === undefined ? "" : `at epoch ${show(trial.objectiveEpoch)}, `}best of the job ${show(job.status.bestTrial?.objective)}` },
    { label: "Epochs", value: show(trial.x.at(-1) ?? 0), note: trial.decision?.epoch === undefined ? undefined : `judged at ${show(trial.decision.epoch)}` },
    ...(trial.decision?.threshold === undefined ? [] : [{ label: "Threshold", value: show(trial.decision.threshold), note: `its value ${show(trial.decision.value)}` }]),
    { label: "Training", value: duration(own), note: total > 0 ? `${percent(own / Math.max(own, total))} of the job's` : undefined },
    { label: "Attempt", value: trial.attempt ?? 1, note: [trial.disruptions ? `${trial.disruptions} disrupted` : "", trial.failures ? `${trial.failures} failed` : ""].filter(Boolean).join(", ") || undefined },
    ...(trial.gain === undefined ? [] : [{ label: "Expected gain", value: show(trial.gain), note: "before it ran" }]),
  ];
}

function Neighbours({ namespace, job, number }: { namespace: string; job: Job; number: number }): JSX.Element {
  const counts = Object.values(job.status.trialCounts ?? {}).reduce((sum: number, each) => sum + (each ?? 0), 0);
  const to = (other: number): string => trialLink(namespace, `${job.name}-${String(other).padStart(4, "0")}`);
  return (
    <div class="controls">
      {number > 1 && <a class="button" href={to(number - 1)} rel="prev">← {number - 1}</a>}
      {number < counts && <a class="button" href={to(number + 1)} rel="next">{number + 1} →</a>}
    </div>
  );
}

function Details({ path, namespace, manifest, counted }: { path: string; namespace: string; manifest: unknown; counted: string }): JSX.Element {
  const [view, setView] = useQuery("view", "pods");
  const pods = useAnswer((signal) => getJson<{ pods: Pod[] }>(`${path}/pods`, signal), `${path}/${counted}`);
  return (
    <Card title="Attempts" plain actions={<Choice label="View" value={view} onChange={setView} options={[["pods", "Pods"], ["log", "Log"], ["events", "Events"], ["manifest", "Manifest"]]} />}>
      {view === "manifest" ? <Manifest body={manifest} />
        : view === "events" ? <Events path={path} />
        : pods.error ? <Problem error={pods.error} />
        : !pods.value ? <div class="body"><Loading rows={3} /></div>
        : pods.value.pods.length === 0 ? <State icon="curves" title="The Pod is gone"><p>The Pod of a stopped trial is deleted with its log. The curve and the decision stay.</p></State>
        : view === "log" ? <Log namespace={namespace} pods={pods.value.pods} />
        : <Pods pods={pods.value.pods} />}
    </Card>
  );
}

function Pods({ pods }: { pods: Pod[] }): JSX.Element {
  return (
    <div class="body stack">
      {pods.map((pod) => (
        <section key={pod.name}>
          <div class="title-row"><h3>{pod.name}</h3><span class="small">{pod.phase}{pod.reason && `: ${pod.reason}`}</span><span class="small muted">{pod.node ?? "no node yet"}</span></div>
          <div class="table-wrap">
            <table>
              <thead><tr><th scope="col">Condition</th><th scope="col">Status</th><th scope="col">Reason</th><th scope="col">Since</th></tr></thead>
              <tbody>
                {pod.containers.map((container) => <tr key={container.name}><td>container {container.name}</td><td>{stateOf(container.state)[0]}</td><td class="muted">{stateOf(container.state)[1]}</td><td class="muted">{moment(stateOf(container.state)[2])}</td></tr>)}
                {pod.conditions.map((condition) => <tr key={condition.type}><td>{condition.type}</td><td>{condition.status}</td><td class="muted" title={condition.message}>{condition.reason ?? "–"}</td><td class="muted">{moment(condition.lastTransitionTime)}</td></tr>)}
              </tbody>
            </table>
          </div>
        </section>
      ))}
    </div>
  );
}

function stateOf(state: ContainerState): [state: string, reason: string, since: string | undefined] {
  if (state.running) return ["running", "", state.running.startedAt];
  if (state.terminated) return [`ended with exit code ${state.terminated.exitCode ?? "?"}`, state.terminated.reason ?? "", state.terminated.finishedAt];
  return ["waiting", state.waiting?.reason ?? "", undefined];
}

function Log({ namespace, pods }: { namespace: string; pods: Pod[] }): JSX.Element {
  const all = pods.flatMap((pod) => pod.containers.map((container) => `${pod.name}/${container.name}`));
  const newest = pods.at(-1);
  const [which, setWhich] = useState(newest ? `${newest.name}/${newest.training ?? newest.containers[0]?.name ?? ""}` : "");
  const [again, setAgain] = useState(0);
  const [pod = "", container = ""] = which.split("/");
  const log = useAnswer((signal) => getText(`namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}/log?container=${encodeURIComponent(container)}`, signal), `${which}/${again}`);
  return (
    <>
      <div class="controls" style={{ padding: "0.6rem 1rem" }}>
        <select class="field" aria-label="Container" value={which} onChange={(event) => setWhich(event.currentTarget.value)}>{all.map((each) => <option key={each}>{each}</option>)}</select>
        <button type="button" class="button" onClick={() => setAgain(again + 1)}>Read again</button>
        <span class="small muted">the last 2,000 lines</span>
      </div>
      {log.error ? <Problem error={log.error} /> : log.value === null ? <div class="body"><Loading rows={4} /></div>
        : log.value === "" ? <State icon="curves" title="The log is empty" /> : <pre class="text" tabIndex={0} aria-label="Log">{plain(log.value)}</pre>}
    </>
  );
}

/** A log without the escape sequences that colour it in a terminal. */
export function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (character) => (character === "\r" ? "\n" : "\ufffd"));
}

function Events({ path }: { path: string }): JSX.Element {
  const answer = useAnswer((signal) => getJson<{ events: KubeEvent[] }>(`${path}/events`, signal), path);
  if (answer.error) return <Problem error={answer.error} />;
  if (!answer.value) return <div class="body"><Loading rows={3} /></div>;
  if (answer.value.events.length === 0) return <State icon="curves" title="No Events"><p>By default, Kubernetes keeps them for an hour.</p></State>;
  return (
    <ol class="events" tabIndex={0}>
      {answer.value.events.map((event, index) => (
        <li key={index}><span class="muted" title={moment(event.time)}>{ago(event.time, Date.now())}</span><strong class={event.type === "Warning" ? "bad" : ""}>{event.reason}</strong><p>{event.message}</p></li>
      ))}
    </ol>
  );
}
