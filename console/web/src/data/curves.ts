// Curves on the axis that is chosen, and where on them something is.
import { trainingSeconds } from "./derive";
import { num } from "./numbers";
import type { Decision, Trial } from "./types";

export type XAxis = "epochs" | "share" | "seconds";
export interface Drawn { trial: Trial; x: number[] }

export function prepare(trials: Trial[], axis: XAxis, now: number): Drawn[] {
  const longest = Math.max(...trials.map((trial) => trial.x.at(-1) ?? 0), 1);
  return trials.filter((trial) => trial.x.length > 0).map((trial) => {
    const last = trial.x.at(-1) || 1;
    const factor = axis === "share" ? 1 / longest : axis === "seconds" ? trainingSeconds(trial, now) / last : 1;
    return { trial, x: factor === 1 ? trial.x : trial.x.map((epoch) => epoch * factor) };
  });
}

/** The decision about a trial; in a dry run the one that would have been made. */
export const decisionOf = (trial: Trial): Decision | undefined => trial.decision ?? trial.would;

/** Where a decision fell: the judged epoch, or the one closest to it; the last one if none was judged. */
export function judged(each: Drawn): { x: number; y: number } | null {
  const { x: epochs, y } = each.trial;
  const decision = decisionOf(each.trial);
  if (!decision || epochs.length === 0) return null;
  const epoch = num(decision.epoch);
  const index = Number.isNaN(epoch) ? epochs.length - 1 : closest(epochs, epoch);
  const value = Number.isFinite(y[index]!) ? y[index]! : num(decision.value);
  return Number.isFinite(value) ? { x: each.x[index]!, y: value } : null;
}

/** The index of the value that is closest: of a long curve not every epoch is kept. */
function closest(values: number[], wanted: number): number {
  const after = Math.min(values.length - 1, search(values, wanted));
  return after > 0 && wanted - values[after - 1]! < values[after]! - wanted ? after - 1 : after;
}

/** The first index whose value is at least the wanted one. */
export function search(values: number[], wanted: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
