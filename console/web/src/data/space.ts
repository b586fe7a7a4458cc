// Parameters on their own scales, and how much of the result each explains by itself.
import { outcome } from "./derive";
import type { Parameter, Trial } from "./types";

export interface Scale {
  name: string;
  /** Of the text of a setting, a place between 0 and 1; NaN where it has none. */
  place: (text: string | undefined) => number;
  /** What is written at a place. */
  label: (place: number) => string;
  ticks: { place: number; label: string }[];
  kind: string;
}

export function scaleOf(parameter: Parameter): Scale {
  const { name } = parameter;
  if (parameter.categorical) {
    const values = parameter.categorical.values;
    const place = (index: number): number => (index + 0.5) / values.length;
    return {
      name,
      kind: "categories",
      place: (text) => (text !== undefined && values.includes(text) ? place(values.indexOf(text)) : NaN),
      label: (at) => values[Math.min(values.length - 1, Math.floor(at * values.length))] ?? "",
      ticks: values.map((label, index) => ({ place: place(index), label })),
    };
  }
  const choices = parameter.discrete?.values;
  const whole = parameter.integer !== undefined || choices?.every(Number.isInteger) === true;
  const range = choices ? { scale: parameter.discrete?.scale, min: choices[0] ?? 0, max: choices.at(-1) ?? 1 }
    : parameter.continuous ?? parameter.integer ?? { min: 0, max: 1 };
  const named = range.scale ?? "Auto";
  const log = named === "Log" || (named === "Auto" && range.min > 0 && range.max >= 100 * range.min);
  const [to, from, kind] = log
    ? [Math.log10, (x: number) => 10 ** x, "log"]
    : named === "ReverseLog"
      ? [(x: number) => -Math.log10(1 - x), (x: number) => 1 - 10 ** -x, "reverse log"]
      : [(x: number) => x, (x: number) => x, "linear"];
  const [low, high] = [to(range.min), to(range.max)];
  const place = (value: number): number => (high === low ? 0.5 : (to(value) - low) / (high - low));
  const label = (at: number): string => {
    const value = from(low + at * (high - low));
    return short(whole ? Math.round(value) : value);
  };
  const stops = log ? decades(range.min, range.max)
    : kind === "linear" ? withEnds(roundStops(range.min, range.max), range.min, range.max)
    : [0, 0.25, 0.5, 0.75, 1].map((at) => from(low + at * (high - low)));
  return {
    name,
    kind,
    place: (text) => (text === undefined ? NaN : place(Number(text))),
    label,
    ticks: stops.map((value) => ({ place: place(value), label: short(whole ? Math.round(value) : value) })),
  };
}

/** Round numbers between two bounds. */
export function roundStops(low: number, high: number, most = 5): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? 10 * power;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

/** The bounds themselves, and what is not too close to them. */
function withEnds(stops: number[], low: number, high: number): number[] {
  const air = (high - low) * 0.09;
  return [low, ...stops.filter((stop) => stop - low > air && high - stop > air), high];
}

function decades(min: number, max: number): number[] {
  const stops: number[] = [];
  for (let power = Math.ceil(Math.log10(min) - 1e-9); power <= Math.log10(max) + 1e-9; power++) stops.push(10 ** power);
  const every = Math.ceil(stops.length / 6);
  const some = stops.filter((_, index) => index % every === 0);
  return some.length >= 2 ? some : [min, max];
}

export function short(value: number): string {
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1).replace(".0e", "e").replace("e+", "e").replace("-", "−");
  return String(Number(value.toPrecision(3))).replace("-", "−");
}

export interface Importance { name: string; share: number }
export const FEWEST_FOR_IMPORTANCE = 10;
export const IMPORTANCE_METHOD =
  "Share of the variance of the objective's ranks that one parameter explains by itself (correlation ratio η² over four equal groups, or over the categories), minus what chance would explain. Effects that parameters have only in combination are not included.";

/** The correlation ratio of each parameter, adjusted for the number of groups; null with too few completed trials. */
export function importance(parameters: Parameter[], trials: Trial[]): Importance[] | null {
  const known = trials.filter((trial) => Number.isFinite(outcome(trial)));
  if (known.length < FEWEST_FOR_IMPORTANCE) return null;
  const ranks = rank(known.map(outcome));
  return parameters
    .map((parameter) => ({ name: parameter.name, share: ratio(groups(parameter, known), ranks) }))
    .sort((a, b) => b.share - a.share);
}

function groups(parameter: Parameter, trials: Trial[]): number[] {
  const texts = trials.map((trial) => trial.parameters?.[parameter.name] ?? "");
  if (parameter.categorical) return texts.map((text) => parameter.categorical!.values.indexOf(text));
  const order = rank(texts.map(Number));
  return order.map((place) => Math.min(3, Math.floor((place * 4) / texts.length)));
}

/** Ranks from 0; equal values share the mean of theirs. */
export function rank(values: number[]): number[] {
  const order = values.map((_, index) => index).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1]!] === values[order[start]!]) end++;
    for (let at = start; at <= end; at++) ranks[order[at]!] = (start + end) / 2;
    start = end + 1;
  }
  return ranks;
}

function ratio(group: number[], values: number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const total = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const sums = new Map<number, { sum: number; count: number }>();
  group.forEach((name, index) => {
    const each = sums.get(name) ?? { sum: 0, count: 0 };
    sums.set(name, { sum: each.sum + values[index]!, count: each.count + 1 });
  });
  let between = 0;
  for (const { sum, count } of sums.values()) between += count * (sum / count - mean) ** 2;
  const [n, k] = [values.length, sums.size];
  if (total === 0 || n <= k) return 0;
  // Epsilon squared: eta squared, less what the same number of groups explains of noise.
  return Math.max(0, (between - ((k - 1) * (total - between)) / (n - k)) / total);
}
