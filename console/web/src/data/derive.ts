// What follows from a job's trials: who is best, when, and at what cost.
import { num, seconds } from "./numbers";
import type { Job, Trial } from "./types";

export type Axis = "trials" | "clock" | "cost";
export interface Step { at: number; value: number; trial: Trial; best: boolean }

const ENDED = new Set(["Completed", "EarlyStopped", "Stopped", "Failed"]);
export const hasEnded = (trial: Trial): boolean => ENDED.has(trial.phase);
export const isRunning = (trial: Trial): boolean => ["Running", "Collecting", "Stopping"].includes(trial.phase);
/** Whether a trial is part of the search, and does not train another one's setting again. */
export const isSearched = (trial: Trial): boolean => trial.confirms === undefined;
export const maximizes = (job: Job): boolean => job.spec.objective?.goal !== "Minimize";

/** Whether a is better than b; what is no number is worse than all. */
export function better(a: number, b: number, maximize: boolean): boolean {
  if (Number.isNaN(a)) return false;
  return Number.isNaN(b) || (maximize ? a > b : a < b);
}

/** Seconds of training: all attempts that have ended, and the one that runs. */
export function trainingSeconds(trial: Trial, now: number): number {
  const ended = trial.seconds ?? 0;
  return isRunning(trial) && trial.start ? ended + Math.max(0, seconds(trial.start, now)) : ended;
}

export function totalSeconds(trials: Iterable<Trial>, now: number): number {
  let sum = 0;
  for (const trial of trials) sum += trainingSeconds(trial, now);
  return sum;
}

/** The objective that a trial ended with; one that was stopped has one, too, and may be the best. */
export function outcome(trial: Trial): number {
  return hasEnded(trial) && trial.phase !== "Failed" ? num(trial.objective) : NaN;
}

/** Every outcome of the search in the order in which it was known, against trials, the clock or the training paid for. */
export function outcomes(job: Job, trials: Iterable<Trial>, axis: Axis): Step[] {
  const maximize = maximizes(job);
  const start = job.status.startTime ?? job.created;
  const ended = [...trials].filter((trial) => isSearched(trial) && hasEnded(trial) && trial.end).sort(byEnd);
  let cost = 0;
  let best = NaN;
  return ended.flatMap((trial, index) => {
    cost += trial.seconds ?? 0;
    const value = outcome(trial);
    if (Number.isNaN(value)) return [];
    const improved = better(value, best, maximize);
    if (improved) best = value;
    const at = axis === "trials" ? index + 1 : axis === "clock" ? seconds(start, trial.end) : cost;
    return [{ at, value, trial, best: improved }];
  });
}

function byEnd(a: Trial, b: Trial): number {
  return Date.parse(a.end ?? "") - Date.parse(b.end ?? "") || a.number - b.number;
}

/** The staircase of the best so far: the points at which it improves, and where it ends. */
export function staircase(steps: Step[], until: number): { x: number[]; y: number[] } {
  const x: number[] = [];
  const y: number[] = [];
  for (const step of steps) {
    if (!step.best) continue;
    x.push(step.at);
    y.push(step.value);
  }
  const last = y.at(-1);
  if (last !== undefined && until > (x.at(-1) ?? 0)) {
    x.push(until);
    y.push(last);
  }
  return { x, y };
}

/** The best of a list as it grows; for a sparkline. */
export function runningBest(values: number[], maximize: boolean): number[] {
  let best = NaN;
  return values.map((value) => (best = better(value, best, maximize) ? value : best));
}

export function byNumber(trials: Iterable<Trial>): Trial[] {
  return [...trials].sort((a, b) => a.number - b.number);
}

/** Its objective so far: the last or the best value, as its job says. */
export const valueOf = (trial: Trial): number => num(trial.objective ?? trial.y.at(-1));
