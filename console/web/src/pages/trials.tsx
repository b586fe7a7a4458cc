// All trials in a table: any column, a filter expression, and some to compare.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { isSearched, trainingSeconds, valueOf } from "../data/derive";
import { parseFilter } from "../data/filter";
import { ago, duration, moment, num, show, showSetting } from "../data/numbers";
import { jobLink, trialLink, useQuery } from "../data/route";
import type { Job, Trial } from "../data/types";
import { phaseOf } from "../data/words";
import { Card, Phase } from "../parts/basics";
import { State } from "../parts/states";
import { type Column, parseSorting, VirtualTable } from "../parts/table";
import type { TabProps } from "./tab";

const HIDDEN_AT_FIRST = new Set(["attempt", "source", "gain", "started", "disruptions", "seed"]);

export function TrialsTab({ job, trials, now }: TabProps): JSX.Element {
  const [expression, setExpression] = useQuery("q", "");
  const [sort, setSort] = useQuery("sort", "number");
  const [changed, setChanged] = useQuery("columns", "");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const fields = useMemo(() => fieldsOf(job, trials, now), [job, trials.length, Math.round(now / 5000)]);
  const parsed = useMemo(() => parseFilter(expression, fields.map((field) => field.key)), [expression, fields]);
  const flipped = new Set(changed.split(",").filter(Boolean));
  const visible = fields.filter((field) => (HIDDEN_AT_FIRST.has(field.key) || Boolean(field.more)) === flipped.has(field.key));
  const rows = trials.filter((trial) => parsed.filter?.((name) => fields.find((field) => field.key === name)?.value(trial), text(trial)) ?? true);
  const toggle = (name: string): void => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    setChosen(next);
  };
  const flip = (key: string): void => {
    if (!flipped.delete(key)) flipped.add(key);
    setChanged([...flipped].join(","));
  };
  const columns: Column<Trial>[] = [
    { key: "select", title: "", cell: (trial) => <input type="checkbox" aria-label={`Select ${trial.name}`} checked={chosen.has(trial.name)} onChange={() => toggle(trial.name)} /> },
    ...visible.map((field) => ({ key: field.key, title: field.title, number: field.number, sort: field.sort ?? field.value, cell: field.cell }) as Column<Trial>),
  ];
  const numbers = trials.filter((trial) => chosen.has(trial.name)).map((trial) => trial.number);
  return (
    <Card title={`${rows.length === trials.length ? trials.length : `${rows.length} of ${trials.length}`} trials`} plain actions={(
      <div class="controls">
        {numbers.length > 1 && <a class="button primary" href={jobLink(job.namespace, job.name, "curves", { only: numbers.join(",") })}>Compare {numbers.length}</a>}
        <input class="field" type="search" size={44} aria-label="Filter trials" aria-invalid={parsed.error !== undefined} aria-describedby="filter-error"
          placeholder={`Filter, e.g. phase = EarlyStopped and ${job.spec.parameters?.[0]?.name ?? "epochs"} < 0.01`}
          value={expression} onInput={(event) => setExpression(event.currentTarget.value)} />
        <details class="columns">
          <summary class="button">Columns</summary>
          <div class="menu card">
            {fields.map((field) => (
              <label key={field.key} class="check"><input type="checkbox" checked={visible.includes(field)} onChange={() => flip(field.key)} />{field.title}</label>
            ))}
          </div>
        </details>
      </div>
    )}>
      <p id="filter-error" class="bad small" role="status" style={{ padding: parsed.error ? "0.3rem 1rem" : 0 }}>{parsed.error}</p>
      {rows.length === 0 ? <State icon="curves" title={trials.length ? "No trial matches the filter" : "No trials yet"} />
        : <VirtualTable rows={rows} columns={columns} sorting={parseSorting(sort)} onSort={setSort} id={(trial) => trial.name} label="Trials"
            rowClass={(trial) => (trial.name === job.status.bestTrial?.name ? "best" : "")} />}
    </Card>
  );
}

interface Field {
  key: string; title: string; number?: boolean; more?: boolean;
  value: (trial: Trial) => number | string; sort?: (trial: Trial) => number | string; cell: (trial: Trial) => JSX.Element | string | number;
}

function fieldsOf(job: Job, trials: Trial[], now: number): Field[] {
  const { namespace } = job;
  const metrics = new Set(trials.slice(0, 200).flatMap((trial) => Object.keys(trial.metrics ?? {})));
  metrics.delete(job.spec.objective?.metric ?? "");
  return [
    { key: "number", title: "Trial", value: (trial) => trial.number, cell: (trial) => <a href={trialLink(namespace, trial.name)}>{trial.name}</a> },
    { key: "phase", title: "Phase", value: (trial) => trial.phase, sort: (trial) => phaseOf(trial.phase).label, cell: (trial) => <Phase phase={trial.phase} /> },
    { key: "objective", title: job.spec.objective?.metric ?? "Objective", number: true, value: valueOf, cell: (trial) => <strong title={trial.objectiveEpoch === undefined ? undefined : `at epoch ${show(trial.objectiveEpoch)}`}>{show(trial.objective ?? trial.y.at(-1))}</strong> },
    ...(job.spec.parameters ?? []).map((parameter): Field => ({
      key: parameter.name, title: parameter.name, number: !parameter.categorical,
      value: (trial) => { const set = trial.parameters?.[parameter.name] ?? ""; return parameter.categorical ? set : Number(set || NaN); },
      cell: (trial) => showSetting(trial.parameters?.[parameter.name] ?? "–"),
    })),
    { key: "epochs", title: "Epochs", number: true, value: (trial) => trial.x.at(-1) ?? 0, cell: (trial) => show(trial.x.at(-1) ?? 0) },
    { key: "seconds", title: "Training", number: true, value: (trial) => trainingSeconds(trial, now), cell: (trial) => duration(trainingSeconds(trial, now)) },
    { key: "reason", title: "Reason", value: (trial) => trial.reason ?? "", cell: (trial) => <span class="muted" title={trial.decision?.message ?? trial.message}>{trial.decision?.reason ?? trial.reason ?? ""}</span> },
    { key: "confirms", title: "Confirms", number: true, more: trials.every(isSearched), value: (trial) => trial.confirms ?? "", cell: (trial) => trial.confirms ?? "" },
    { key: "attempt", title: "Attempt", number: true, value: (trial) => trial.attempt ?? 1, cell: (trial) => trial.attempt ?? 1 },
    { key: "disruptions", title: "Disruptions", number: true, value: (trial) => trial.disruptions ?? 0, cell: (trial) => trial.disruptions ?? 0 },
    { key: "source", title: "Proposed by", value: (trial) => trial.source ?? "", cell: (trial) => <span title={trial.sourceMessage}>{trial.source ?? "–"}</span> },
    { key: "gain", title: "Expected gain", number: true, value: (trial) => num(trial.gain), cell: (trial) => show(trial.gain) },
    { key: "started", title: "Started", number: true, value: (trial) => trial.start ?? "", cell: (trial) => <span title={moment(trial.start)}>{ago(trial.start, now)}</span> },
    ...[...metrics].sort().map((name): Field => ({ key: name, title: name, number: true, more: true, value: (trial) => num(trial.metrics?.[name]), cell: (trial) => show(trial.metrics?.[name]) })),
  ];
}

const text = (trial: Trial): string => [trial.name, trial.phase, trial.reason, trial.message, trial.decision?.message, ...Object.entries(trial.parameters ?? {}).flat()].join(" ");
