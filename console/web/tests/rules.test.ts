import { expect, test } from "vitest";
import { parseRule, type Result, underRule, verdictOf } from "../src/data/rules";
import type { Trial } from "../src/data/types";

const rule = (query: string): unknown => parseRule(new URLSearchParams(query));

test("an address without a rule asks for Auto, which has no fields", () => {
  expect(rule("")).toEqual({ type: "Auto" });
  expect(rule("rule=Nonsense&quantile=0.3")).toEqual({ type: "Auto" });
});

test("the fields of a rule are numbers, at its place in a job", () => {
  expect(rule("rule=Median&quantile=0.4&statistic=Current")).toEqual({ type: "Median", median: { statistic: "Current", quantile: 0.4, minCompletedTrials: 3, minEpochs: 2, minProgress: 0.2 } });
  expect(rule("rule=Hyperband&maxResource=81")).toEqual({ type: "Hyperband", minResource: 1, maxResource: 81, reductionFactor: 3 });
});

test("what is no number is left to the rule to refuse", () => {
  expect(rule("rule=Hyperband&maxResource=many")).toEqual({ type: "Hyperband", minResource: 1, maxResource: "many", reductionFactor: 3 });
});

const trial = (name: string, phase: string): Trial => ({ name, phase, number: 1, uid: name, x: [1, 2], y: [0.1, 0.2], decision: { reason: "OutOfReach", epoch: 2 } });
const replayed = (name: string, stop: Result["trials"][number]["stop"]): Result["trials"][number] =>
  ({ name, number: 1, phase: "Completed", stop, recordedStop: null, epochsSaved: 0, secondsSaved: 0, openEnd: false });
const result = (more: Partial<Result>): Result =>
  ({ stopped: 0, epochsSaved: 0, secondsSaved: 0, trainingSeconds: 0, best: null, bestAfter: null, winnerLost: null, unknown: [], trials: [], ...more });

test("the rule's decisions take the place of those on record", () => {
  const stop = { reason: "BelowMedian", epoch: 1 };
  const shown = underRule([trial("a", "Completed"), trial("b", "EarlyStopped"), trial("c", "Running")], result({ trials: [replayed("a", stop), replayed("b", null)] }));
  expect(shown.map(({ phase, decision }) => [phase, decision?.epoch])).toEqual([["EarlyStopped", 1], ["Stopped", undefined], ["Running", undefined]]);
});

test("a lost winner is shown beside what would have won", () => {
  const [best, after] = [{ name: "a", objective: "0.9" }, { name: "b", objective: "0.8" }];
  expect(verdictOf(result({})).title).toBe("–");
  expect(verdictOf(result({ best, bestAfter: best, winnerLost: false }))).toEqual({ title: "Kept", trial: best, instead: null });
  expect(verdictOf(result({ best, bestAfter: after, winnerLost: true }))).toEqual({ title: "Lost", trial: best, instead: after });
});
