import { describe, expect, test } from "vitest";
import { parseFilter } from "../src/data/filter";

const NAMES = ["phase", "learning_rate", "validation:loss"];
const ROW: Record<string, string | number> = { phase: "EarlyStopped", learning_rate: 0.01, "validation:loss": NaN };

function keeps(expression: string, text = "fashion-0001 EarlyStopped"): boolean | string {
  const parsed = parseFilter(expression, NAMES);
  return parsed.filter ? parsed.filter((name) => ROW[name], text) : parsed.error;
}

describe("a filter expression", () => {
  test.each([
    ["", true],
    ["fashion early", true],
    ["fashion absent", false],
    ["phase = EarlyStopped", true],
    ["phase = earlystopped and learning_rate < 0.1", true],
    ["phase != EarlyStopped or learning_rate >= 1e-2", true],
    ["not (phase ~ early) and learning_rate < 1", false],
    ["not phase = Failed", true],
    ["learning_rate <= 0.01 and not learning_rate < 0.01", true],
    ["learning_rate = 1e-2", true],
    ["Learning_Rate = 0.0100", true],
    ["phase > 1", false],
    ['"phase" = "EarlyStopped"', true],
    ["validation:loss < 1", false],
  ])("%s", (expression, kept) => {
    expect(keeps(expression)).toBe(kept);
  });

  test.each([
    ["unknown = 1", /no column "unknown"; there are: phase/],
    ["phase =", /a value is missing/],
    ["phase = a phase = b", /"phase" is not expected/],
    ["(phase = a", /"\)" is missing/],
    ['phase = "a', /quotation mark/],
    ["phase and = a", /no comparison/],
  ])("%s is refused with what to write", (expression, said) => {
    expect(keeps(expression)).toMatch(said);
  });
});
