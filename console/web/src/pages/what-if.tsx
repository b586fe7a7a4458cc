// What another early stopping rule would have done with the job: its curves replayed.
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { Curves } from "../charts/curves";
import { getJson } from "../data/api";
import { duration, percent, show } from "../data/numbers";
import { trialLink, useQuery, useRoute } from "../data/route";
import { FIELDS, parseRule, type Result, type Rule, underRule, verdictOf } from "../data/rules";
import type { Job, Trial } from "../data/types";
import { Card, Choice, Phase, Stats } from "../parts/basics";
import { Loading, Problem, State, useAnswer } from "../parts/states";
import { type Column, parseSorting, VirtualTable } from "../parts/table";
import type { TabProps } from "./tab";

export function WhatIfTab({ job, trials, now }: TabProps): JSX.Element {
  const rule = parseRule(useRoute().query);
  const text = JSON.stringify(rule);
  // A running job is replayed again when it is asked for again, not with every epoch.
  const version = job.status.completionTime ? job.version : "running";
  const path = `namespaces/${encodeURIComponent(job.namespace)}/jobs/${encodeURIComponent(job.name)}/what-if?${new URLSearchParams({ rule: text, version: version === "running" ? "" : version }).toString()}`;
  const known = trials.some((trial) => trial.x.length > 0);
  const answer = useAnswer<Asked | null>(async (signal) => (known ? { text, result: await getJson<Result>(path, signal) } : null), `${path}/${known}`);
  const found = answer.value?.text === text ? answer.value.result : undefined;
  return (
    <div class="stack">
      <Card title="Another rule" actions={<span class="small muted">{found ? "the curves on record, as they grew" : ""}</span>}><Knobs rule={rule} /></Card>
      {!known ? <Card><State icon="curves" title="No curve to replay"><p>No trial has reported an epoch yet.</p></State></Card>
        : answer.error ? <Card><Problem error={answer.error} /></Card>
          : found ? <Shown job={job} trials={trials} result={found} now={now} /> : <Loading rows={4} />}
    </div>
  );
}

interface Asked { text: string; result: Result }

function Knobs({ rule }: { rule: Rule }): JSX.Element {
  const [type, setType] = useQuery("rule", "Auto");
  return (
    <div class="controls">
      <Choice label="Rule" value={type} onChange={setType} options={[["Auto", "Auto"], ["Median", "Median"], ["Hyperband", "Hyperband"]]} />
      {FIELDS[rule.type].map((field) => <Knob key={field.name} {...field} />)}
    </div>
  );
}

function Knob({ name, title, fallback, choices, step, min }: (typeof FIELDS)[Rule["type"]][number]): JSX.Element {
  const [value, setValue] = useQuery(name, fallback);
  if (choices) return <Choice label={title} value={value} onChange={setValue} options={choices.map((each) => [each, each])} />;
  return (
    <label class="check">
      {title}
      <input class="field" type="number" style={{ width: "6rem" }} step={step} min={min} value={value} onChange={(event) => setValue(event.currentTarget.value)} />
    </label>
  );
}

function Shown({ job, trials, result, now }: { job: Job; trials: Trial[]; result: Result; now: number }): JSX.Element {
  const drawn = useMemo(() => underRule(trials, result).filter((trial) => trial.x.length > 0), [trials, result]);
  const before = result.trials.filter((trial) => trial.recordedStop).length;
  const verdict = verdictOf(result);
  return (
    <div class="stack">
      <Stats lines={[
        { label: "Winner", lead: true, value: verdict.title, note: verdict.trial ? <a href={trialLink(job.namespace, verdict.trial.name)}>{verdict.trial.name} with {show(verdict.trial.objective)}</a> : "no trial has ended" },
        ...(verdict.instead ? [{ label: "Instead", value: show(verdict.instead.objective), note: <a href={trialLink(job.namespace, verdict.instead.name)}>{verdict.instead.name}</a> }] : []),
        { label: "Would have stopped", value: <>{result.stopped}<span class="faint"> / {result.trials.length}</span></>, note: `${before} in fact` },
        { label: "Less training", value: duration(result.secondsSaved), note: result.trainingSeconds ? `${percent(result.secondsSaved / result.trainingSeconds)} of ${duration(result.trainingSeconds)}` : undefined },
        { label: "Fewer epochs", value: show(result.epochsSaved), note: "of those on record" },
      ]} />
      <Card title={job.spec.objective?.metric ?? ""} actions={<span class="small muted">a cross where the rule would have stopped a trial; what follows it would not have been trained</span>}>
        <Curves trials={drawn} best={verdict.trial?.name} metric={job.spec.objective?.metric ?? ""} axis="epochs" logX={false} logY={false} height={380} now={now}
          onOpen={(trial) => { location.hash = trialLink(job.namespace, trial.name); }} />
      </Card>
      <Stops job={job} result={result} />
      <Card title="What a replay cannot know"><ul>{result.unknown.map((sentence) => <li key={sentence}>{sentence[0]!.toUpperCase() + sentence.slice(1)}.</li>)}</ul></Card>
    </div>
  );
}

type Row = Result["trials"][number];

function Stops({ job, result }: { job: Job; result: Result }): JSX.Element {
  const [sort, setSort] = useQuery("sort", "number");
  const rows = result.trials.filter((trial) => trial.stop ?? trial.recordedStop);
  const columns: Column<Row>[] = [
    { key: "number", title: "Trial", sort: (row) => row.number, cell: (row) => <a href={trialLink(job.namespace, row.name)}>{row.name}</a> },
    { key: "phase", title: "On record", sort: (row) => row.phase, cell: (row) => <><Phase phase={row.phase} />{row.recordedStop?.epoch !== undefined && <span class="muted"> at {show(row.recordedStop.epoch)}</span>}</> },
    { key: "stop", title: "Under the rule", sort: (row) => Number(row.stop?.epoch ?? NaN), cell: (row) => (row.stop ? `stopped at epoch ${show(row.stop.epoch)}` : row.openEnd ? "trained further; result unknown" : "not stopped") },
    { key: "epochs", title: "Fewer epochs", number: true, sort: (row) => row.epochsSaved, cell: (row) => show(row.epochsSaved) },
    { key: "seconds", title: "Less training", number: true, sort: (row) => row.secondsSaved, cell: (row) => duration(row.secondsSaved) },
    { key: "why", title: "Why", cell: (row) => <span class="muted" title={row.stop?.message}>{row.stop?.message ?? ""}</span> },
  ];
  return (
    <Card title={rows.length === 1 ? "1 stopped trial" : `${rows.length} stopped trials`} plain>
      {rows.length === 0 ? <State icon="curves" title="No trial was stopped, or would be under this rule" />
        : <VirtualTable rows={rows} columns={columns} sorting={parseSorting(sort)} onSort={setSort} id={(row) => row.name} label="Stopped trials" />}
    </Card>
  );
}
