// Early stopping rules as a job has them, from what the address says; and what a replay under one of them found.
import type { Decision, Num, Trial } from "./types";

export interface Rule { type: "Auto" | "Median" | "Hyperband"; [field: string]: unknown }
export interface Field { name: string; title: string; fallback: string; choices?: string[]; step?: string; min?: string }
export interface Best { name: string; objective: Num }
export interface Result {
  stopped: number; epochsSaved: number; secondsSaved: number; trainingSeconds: number;
  best: Best | null; bestAfter: Best | null; winnerLost: boolean | null; unknown: string[];
  trials: { name: string; number: number; phase: string; stop: Decision | null; recordedStop: Decision | null; epochsSaved: number; secondsSaved: number; openEnd: boolean }[];
}

/** The fields of each rule, with the API server's defaults; Hyperband's resources have none, and are shown with an example. */
export const FIELDS: Record<Rule["type"], Field[]> = {
  Auto: [],
  Median: [
    { name: "statistic", title: "Statistic", fallback: "Best", choices: ["Best", "Current"] },
    { name: "quantile", title: "Quantile", fallback: "0.5", step: "0.05", min: "0.05" },
    { name: "minCompletedTrials", title: "Minimum completed trials", fallback: "3", step: "1", min: "1" },
    { name: "minEpochs", title: "Least epochs", fallback: "2", step: "1", min: "1" },
    { name: "minProgress", title: "Least progress", fallback: "0.2", step: "0.05", min: "0" },
  ],
  Hyperband: [
    { name: "minResource", title: "Least epochs", fallback: "1", step: "1", min: "1" },
    { name: "maxResource", title: "Most epochs", fallback: "27", step: "1", min: "2" },
    { name: "reductionFactor", title: "Reduction factor", fallback: "3", step: "1", min: "2" },
  ],
};

export function parseRule(query: URLSearchParams): Rule {
  const asked = query.get("rule") ?? "";
  const type = asked in FIELDS ? (asked as Rule["type"]) : "Auto";
  const knobs = Object.fromEntries(FIELDS[type].map(({ name, fallback, choices }) => {
    const text = query.get(name) ?? fallback;
    // What is no number is left to the rule's own words.
    return [name, choices || text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text)];
  }));
  return type === "Median" ? { type, median: knobs } : { type, ...knobs };
}

/** The trials with the rule's decisions in place of those on record. */
export function underRule(trials: Trial[], result: Result): Trial[] {
  const replayed = new Map(result.trials.map((trial) => [trial.name, trial]));
  return trials.map((trial) => {
    const { decision: _decision, would: _would, ...rest } = trial;
    const stop = replayed.get(trial.name)?.stop;
    if (stop) return { ...rest, phase: "EarlyStopped", decision: stop };
    return { ...rest, phase: trial.phase === "EarlyStopped" ? "Stopped" : trial.phase };
  });
}

export interface Verdict { title: string; trial: Best | null; instead: Best | null }

export function verdictOf(result: Result): Verdict {
  if (!result.best) return { title: "–", trial: null, instead: null };
  return result.winnerLost ? { title: "Lost", trial: result.best, instead: result.bestAfter } : { title: "Kept", trial: result.best, instead: null };
}
