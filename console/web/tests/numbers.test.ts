import { describe, expect, test } from "vitest";
import { duration, num, percent, show, showSetting, tick, tickDuration } from "../src/data/numbers";

describe("numbers", () => {
  test.each([
    ["0.92118", "0.9212"], [0.5, "0.5000"], [0, "0"], [30, "30"], [-0.25, "−0.2500"], ["NaN", "NaN"], ["+Inf", "+∞"], ["-Inf", "−∞"],
    [undefined, "–"], ["", "–"], [0.0000123, "1.23e−5"], [123456.7, "123,457"], [1e9, "1e9"], ["<b>", "NaN"],
  ])("%s has four significant digits", (value, text) => {
    expect(show(value)).toBe(text);
  });

  test.each([["0.0123", "0.0123"], ["0.00000123", "1.23e−6"], ["64", "64"], ["adam", "adam"], ["", ""], ["0.1000", "0.1"], ["<b>", "<b>"]])(
    "the setting %s is written as it is meant", (text, shown) => {
      expect(showSetting(text)).toBe(shown);
    },
  );

  test("ticks have no zeros to spare", () => {
    expect([0.9, 0.25, 10, 1e-6].map(tick)).toEqual(["0.9", "0.25", "10", "1e−6"]);
    expect([0, 45, 300, 5400].map(tickDuration)).toEqual(["0", "45 s", "5 min", "1 h 30 min"]);
  });

  test("durations and shares", () => {
    expect([0, 59.6, 61, 3600, 90_000, NaN, undefined].map(duration)).toEqual(["0 s", "1 min 0 s", "1 min 1 s", "1 h 0 min", "1 d 1 h", "–", "–"]);
    expect([0.5, 0.012, NaN].map(percent)).toEqual(["50 %", "1.2 %", "–"]);
  });

  test("what JSON lacks comes as text", () => {
    expect([num("+Inf"), num("-Inf"), num("NaN"), num("0.5"), num(undefined)]).toEqual([Infinity, -Infinity, NaN, 0.5, NaN]);
  });
});
