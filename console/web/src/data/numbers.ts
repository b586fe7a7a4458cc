// How numbers, durations and times are written: four significant digits, tabular, in the viewer's zone.
import type { Num } from "./types";

export function num(value: Num | undefined | null): number {
  if (typeof value === "number") return value;
  if (value === undefined || value === null || value === "") return NaN;
  const text = value.trim();
  if (/^[+]?inf/i.test(text)) return Infinity;
  if (/^-inf/i.test(text)) return -Infinity;
  return Number(text);
}

/** Four significant digits; no more than a person compares at a glance. */
export function show(value: Num | undefined | null): string {
  if (value === undefined || value === null || value === "") return "–";
  const number = num(value);
  if (Number.isNaN(number)) return "NaN";
  if (!Number.isFinite(number)) return number > 0 ? "+∞" : "−∞";
  if (number === 0) return "0";
  const size = Math.abs(number);
  if (size >= 1e7 || size < 1e-4) return sign(number.toExponential(3).replace(/\.?0+e/, "e").replace("e+", "e"));
  if (Number.isInteger(number)) return sign(number.toLocaleString("en-US"));
  if (size >= 1e4) return sign(Math.round(number).toLocaleString("en-US"));
  return sign(number.toPrecision(4));
}

/** As `show`, without the zeros that a setting such as 0.01 does not have. */
export function showSetting(text: string): string {
  const number = Number(text);
  if (text.trim() === "" || Number.isNaN(number)) return text;
  return /[.e]/i.test(text) ? show(number).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "") : text;
}

function sign(text: string): string {
  return text.replace(/^-/, "−").replace("e-", "e−");
}

export function percent(share: number): string {
  if (!Number.isFinite(share)) return "–";
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** For axes: as few digits as tell one tick from the next. */
export function tick(value: number): string {
  const text = show(value);
  return text.includes("e") ? text : text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

/** For axes: 45 s, 5 min, 1 h 30 min. */
export function tickDuration(value: number): string {
  return value === 0 ? "0" : duration(value).replace(/ 0 (s|min|h)$/, "");
}

/** 34 s, 5 min 12 s, 2 h 48 min, 3 d 4 h. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

export function seconds(from: string | undefined, to: string | number | undefined): number {
  if (!from || to === undefined) return NaN;
  return ((typeof to === "number" ? to : Date.parse(to)) - Date.parse(from)) / 1000;
}

/** "2 h ago"; the whole time is in the title. */
export function ago(time: string | undefined, now: number): string {
  const s = seconds(time, now);
  if (!Number.isFinite(s)) return "–";
  if (s < 60) return "just now";
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

export function moment(time: string | undefined): string {
  if (!time) return "–";
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** The time of day, with the date if it is another day's. */
export function clock(time: string | undefined, now: number): string {
  if (!time) return "–";
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return "–";
  const today = date.toDateString() === new Date(now).toDateString();
  const day = today ? "" : `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })} `;
  return day + date.toLocaleTimeString(undefined, { hour12: false, ...(today ? {} : { hour: "2-digit", minute: "2-digit" }) });
}
