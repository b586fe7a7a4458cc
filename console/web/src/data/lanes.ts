// A timeline's lines: when trials waited and trained, one after the other.
import { trainingSeconds } from "./derive";
import { duration } from "./numbers";
import type { Job, Trial } from "./types";
import { phaseOf } from "./words";

export interface Lane { name: string; href?: string; trials: Trial[] }
export interface Span { from: number; to: number; kind: "wait" | "earlier" | "attempt" | "paused"; title: string }

/** When a trial waited, trained and was paused. Of attempts before the current one only the sum of their training is known. */
export function spans(trial: Trial, start: number, now: number): Span[] {
  const at = (time: string | undefined): number => (time ? (Date.parse(time) - start) / 1000 : NaN);
  const [created, decided, began] = [at(trial.created), at(trial.attemptTime), at(trial.start)];
  const ended = trial.end ? at(trial.end) : (now - start) / 1000;
  const found: Span[] = [];
  const add = (from: number, to: number, kind: Span["kind"], title: string): void => {
    if (to > from) found.push({ from, to, kind, title: `${title}: ${duration(to - from)}` });
  };
  const pause = (from: number, trained: number, to: number, title: string): void => {
    const paused = Math.min(to, from + trained);
    add(from, paused, "attempt", "trained until it was paused");
    add(paused, to, "paused", title);
  };
  const again = Number.isFinite(decided) && created < decided;
  const asked = Number.isFinite(decided) ? decided : created;
  const setbacks = (trial.disruptions ?? 0) + (trial.failures ?? 0);
  if (again && trial.resumptions && setbacks === 0) {
    const current = trial.end && Number.isFinite(began) ? ended - began : 0;
    pause(created, (trial.seconds ?? 0) - current, decided, `paused, then resumed (now number ${trial.attempt ?? 2})`);
  } else if (again) add(created, decided, "earlier", `earlier attempts (now number ${trial.attempt ?? 1})`);
  if (trial.phase === "Paused") pause(asked, trial.seconds ?? 0, ended, "paused");
  else if (Number.isFinite(began)) {
    if (asked <= began) add(asked, began, "wait", "waits for its Pod");
    add(began, ended, "attempt", `${phaseOf(trial.phase).label}, trained ${duration(trainingSeconds(trial, now))}`);
  } else add(asked, ended, "wait", "waits for its Pod");
  return found;
}

/** Each trial on the first line that is free when it begins: a line for each slot that was in use. */
export function bySlot(trials: Trial[], now: number): Lane[] {
  const begin = (trial: Trial): number => Math.min(...[trial.created, trial.start].map((time) => Date.parse(time ?? "") || now));
  const lanes: (Lane & { free: number })[] = [];
  for (const trial of [...trials].sort((a, b) => begin(a) - begin(b) || a.number - b.number)) {
    // A pause holds no slot, and how long it trained is all that is known of what came before.
    const end = trial.end ? Date.parse(trial.end) : trial.phase === "Paused" ? begin(trial) + 1000 * (trial.seconds ?? 0) : now;
    const lane = lanes.find((each) => each.free <= begin(trial));
    if (lane) {
      lane.trials.push(trial);
      lane.free = end;
    } else lanes.push({ name: `slot ${lanes.length + 1}`, trials: [trial], free: end });
  }
  return lanes;
}

/** Seconds after the start at which the suspension that lasts began. */
export function suspendedSince(job: Job, start: number): number | undefined {
  const condition = (job.status.conditions ?? []).find((each) => each.type === "Suspended" && each.status === "True");
  return condition && Math.max(0, (Date.parse(condition.lastTransitionTime) - start) / 1000);
}

const STEPS = [1, 5, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400, 172_800, 604_800];

export function ticks(total: number, most: number): number[] {
  const step = STEPS.find((each) => total / each <= most) ?? total;
  return Array.from({ length: Math.floor(total / step) + 1 }, (_, index) => index * step);
}
