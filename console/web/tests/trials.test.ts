import { describe, expect, test } from "vitest";
import { judged, search } from "../src/data/curves";
import { outcomes, runningBest, staircase } from "../src/data/derive";
import { bySlot, spans, ticks } from "../src/data/lanes";
import { merge } from "../src/data/live";
import { importance, rank, roundStops, scaleOf } from "../src/data/space";
import type { Job, Trial, TrialRow } from "../src/data/types";
import { conditions, phaseOf } from "../src/data/words";

const JOB = { name: "j", namespace: "n", uid: "u", version: "1", spec: { objective: { metric: "loss", goal: "Minimize" } }, status: { startTime: "2026-03-01T10:00:00Z" } } as Job;

function trial(number: number, objective: number | string, end: string, more: Partial<TrialRow> = {}): Trial {
  return merge(undefined, { name: `j-000${number}`, number, uid: String(number), phase: "Completed", objective, end: `2026-03-01T${end}:00Z`, seconds: 60, ...more } as TrialRow);
}

describe("the best so far", () => {
  const trials = [trial(1, 0.5, "10:10"), trial(3, 0.3, "10:30"), trial(2, 0.4, "10:20", { phase: "Failed" }), trial(4, "NaN", "10:40"), trial(5, 0.2, "10:50", { phase: "EarlyStopped" })];

  test("counts what ended with a value, in the order of the ends, and pays for all", () => {
    expect(outcomes(JOB, trials, "trials").map((step) => [step.at, step.value, step.best])).toEqual([[1, 0.5, true], [3, 0.3, true], [5, 0.2, true]]);
    expect(outcomes(JOB, trials, "cost").map((step) => step.at)).toEqual([60, 180, 300]);
    expect(outcomes(JOB, trials, "clock").map((step) => step.at)).toEqual([600, 1800, 3000]);
  });

  test("is that of the search: repetitions with other seeds have no part in it", () => {
    const again = trial(6, 0.1, "10:55", { confirms: 5 });
    expect(outcomes(JOB, [...trials, again], "trials")).toEqual(outcomes(JOB, trials, "trials"));
  });

  test("is a staircase that reaches to the end", () => {
    expect(staircase(outcomes(JOB, trials, "trials"), 9)).toEqual({ x: [1, 3, 5, 9], y: [0.5, 0.3, 0.2, 0.2] });
    expect(staircase([], 9)).toEqual({ x: [], y: [] });
  });

  test("of a growing list", () => {
    expect(runningBest([NaN, 2, 3, 1], true)).toEqual([NaN, 2, 3, 3]);
    expect(runningBest([2, NaN, 1], false)).toEqual([2, 2, 1]);
  });
});

describe("a curve", () => {
  const row = { name: "t", number: 1, uid: "1", phase: "Running" } as TrialRow;

  test("grows by what is new, and is replaced by a whole one", () => {
    const whole = merge(undefined, { ...row, curve: { epochs: [0.5, 1], values: [0.1, "NaN"] } });
    expect([whole.x, whole.y]).toEqual([[0.5, 1], [0.1, NaN]]);
    const longer = merge(whole, { ...row, tail: { epochs: [1.5], values: [0.3] } });
    expect([longer.x, longer.y]).toEqual([[0.5, 1, 1.5], [0.1, NaN, 0.3]]);
    expect(merge(longer, row).x).toEqual([0.5, 1, 1.5]);
    expect(merge(longer, { ...row, curve: { epochs: [2], values: [1] } }).x).toEqual([2]);
  });

  test("has its cross where it was judged", () => {
    const stopped = merge(undefined, { ...row, curve: { epochs: [1, 2, 3], values: [0.1, 0.2, 0.3] }, decision: { reason: "R", epoch: 2 } });
    expect(judged({ trial: stopped, x: [10, 20, 30] })).toEqual({ x: 20, y: 0.2 });
    expect(judged({ trial: { ...stopped, decision: { reason: "R" } }, x: [10, 20, 30] })).toEqual({ x: 30, y: 0.3 });
    expect(judged({ trial: { ...stopped, decision: { reason: "R", epoch: 1.4 } }, x: [10, 20, 30] })).toEqual({ x: 10, y: 0.1 });
    expect(judged({ trial: { ...stopped, decision: { reason: "R", epoch: 99 } }, x: [10, 20, 30] })).toEqual({ x: 30, y: 0.3 });
    const spared = { ...stopped, decision: undefined, would: { reason: "R", epoch: 1 } } as unknown as Trial;
    expect(judged({ trial: spared, x: [10, 20, 30] })).toEqual({ x: 10, y: 0.1 });
    expect(judged({ trial: merge(undefined, row), x: [] })).toBeNull();
  });

  test("is searched by halves", () => {
    expect([0, 1, 1.5, 9].map((wanted) => search([1, 2, 3], wanted))).toEqual([0, 0, 1, 3]);
  });
});

describe("parameters", () => {
  test("lie where their scales place them", () => {
    const log = scaleOf({ name: "lr", continuous: { min: 1e-5, max: 1 } });
    expect(log.kind).toBe("log");
    expect(log.place("0.001")).toBeCloseTo(0.4);
    expect(log.label(0.4)).toBe("0.001");
    expect(scaleOf({ name: "m", continuous: { min: 0.5, max: 0.999, scale: "ReverseLog" } }).place("0.999")).toBeCloseTo(1);
    expect(scaleOf({ name: "n", integer: { min: 16, max: 64 } }).place("40")).toBeCloseTo(0.5);
    const words = scaleOf({ name: "o", categorical: { values: ["sgd", "adam", "nag"] } });
    expect([words.place("adam"), words.place("other"), words.label(1), words.label(words.place("sgd"))]).toEqual([0.5, NaN, "nag", "sgd"]);
    expect(scaleOf({ name: "n", integer: { min: 16, max: 128 } }).ticks.map((tick) => tick.label)).toEqual(["16", "50", "75", "100", "128"]);
    expect(scaleOf({ name: "one", categorical: { values: ["x"] } }).place("x")).toBe(0.5);
  });

  test("have round ticks", () => {
    expect(roundStops(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(roundStops(0.507, 0.921)).toEqual([0.6, 0.7, 0.8, 0.9]);
    expect(roundStops(3, 3)).toEqual([3]);
  });

  test("matter as far as they explain ranks", () => {
    const parameters = [{ name: "x", continuous: { min: 0, max: 1 } }, { name: "noise", categorical: { values: ["a", "b"] } }];
    const trials = Array.from({ length: 24 }, (_, index) => trial(index, index, "10:10", { parameters: { x: String(index / 24), noise: index % 2 ? "a" : "b" } }));
    const [first, second] = importance(parameters, trials)!;
    expect(first!.name).toBe("x");
    expect(first!.share).toBeGreaterThan(0.9);
    expect(second!.share).toBeLessThan(0.05);
    expect(importance(parameters, trials.slice(0, 9))).toBeNull();
    expect(rank([3, 1, 1, 2])).toEqual([3, 0.5, 0.5, 2]);
  });
});

describe("a timeline", () => {
  const at = (minute: number): string => `2026-03-01T10:${String(minute).padStart(2, "0")}:00Z`;
  const start = Date.parse(at(0));
  const run = (number: number, created: number, end?: number): Trial => merge(undefined, { name: `t${number}`, number, uid: String(number), phase: end === undefined ? "Running" : "Completed", created: at(created), start: at(created + 1), ...(end !== undefined && { end: at(end) }) } as TrialRow);

  test("has as many lines as there were slots", () => {
    const lanes = bySlot([run(1, 0, 10), run(2, 0, 5), run(3, 5), run(4, 10)], Date.parse(at(20)));
    expect(lanes.map((lane) => [lane.name, lane.trials.map((trial) => trial.number)])).toEqual([["slot 1", [1, 4]], ["slot 2", [2, 3]]]);
  });

  test("has pauses, which hold no slot", () => {
    const paused = { ...run(1, 0), phase: "Paused", start: undefined, seconds: 120 } as Trial;
    expect(spans(paused, start, Date.parse(at(10))).map(({ kind, from, to }) => [kind, from, to])).toEqual([["attempt", 0, 120], ["paused", 120, 600]]);
    expect(bySlot([paused, run(2, 3)], Date.parse(at(10)))).toHaveLength(1);
  });

  test("has waits, attempts and earlier attempts", () => {
    expect(spans(run(1, 0, 10), start, 0).map(({ kind, from, to }) => [kind, from, to])).toEqual([["wait", 0, 60], ["attempt", 60, 600]]);
    const again = { ...run(1, 0, 10), attempt: 2, attemptTime: at(4), start: at(5) };
    expect(spans(again, start, 0).map(({ kind, from, to }) => [kind, from, to])).toEqual([["earlier", 0, 240], ["wait", 240, 300], ["attempt", 300, 600]]);
    const resumed = { ...again, resumptions: 1, seconds: 400 };
    expect(spans(resumed, start, 0).map(({ kind, from, to }) => [kind, from, to])).toEqual([["attempt", 0, 100], ["paused", 100, 240], ["wait", 240, 300], ["attempt", 300, 600]]);
    expect(spans({ ...resumed, disruptions: 1 }, start, 0)[0]?.kind).toBe("earlier");
    expect(ticks(3600, 5)).toEqual([0, 900, 1800, 2700, 3600]);
  });
});

describe("words", () => {
  test("say what wants attention first, and leave out ends that have not come", () => {
    const status = { conditions: [["MetricsAvailable", "True"], ["Complete", "False"], ["Finished", "True"], ["Waiting", "False"], ["QuotaExceeded", "True"], ["Reconciled", "Unknown"], ["Novel", "True"]].map(([type, value]) => ({ type, status: value, reason: "R", message: "m", lastTransitionTime: "" })) };
    const said = conditions({ ...JOB, status } as Job);
    expect(said.map(({ text, tone }) => [text, tone])).toEqual([
      ["The next Pod is waiting for quota", "stopped"], ["Reconciled is not known", "quiet"], ["Novel: True", "quiet"], ["Prometheus answers", "good"], ["Trials are training", "good"],
    ]);
  });

  test("take a phase that is not known as it is", () => {
    expect([phaseOf("EarlyStopped").label, phaseOf("Novel").label, phaseOf(undefined).label, phaseOf("Paused").tone]).toEqual(["Early stopped", "Novel", "Pending", "quiet"]);
  });
});
