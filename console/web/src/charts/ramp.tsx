// One scale of colours from worst to best, even in lightness and readable with all kinds of colour vision (viridis).
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { show } from "../data/numbers";
import { useThemeCount } from "../theme";

const LIGHT = [[226, 205, 64], [122, 196, 92], [44, 158, 137], [46, 108, 142], [62, 62, 130], [56, 12, 86]];
const DARK = [[84, 52, 130], [62, 92, 152], [44, 132, 150], [52, 176, 132], [142, 212, 92], [250, 228, 90]];

/** The colour of a place between 0, the worst, and 1, the best. */
export function ramp(place: number): string {
  const stops = document.documentElement.dataset["theme"] === "dark" ? DARK : LIGHT;
  const at = Math.min(1, Math.max(0, Number.isNaN(place) ? 0 : place)) * (stops.length - 1);
  const [low, high] = [stops[Math.floor(at)]!, stops[Math.ceil(at)]!];
  const mixed = low.map((part, index) => Math.round(part + (high[index]! - part) * (at % 1)));
  return `rgb(${mixed.join(" ")})`;
}

export function Ramp({ low, high }: { low: number; high: number }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useThemeCount();
  useEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    for (let x = 0; x < 100; x++) {
      context.fillStyle = ramp(x / 99);
      context.fillRect(x, 0, 1, 1);
    }
  }, [theme]);
  return <span class="ramp">{show(low)}<canvas ref={canvas} width={100} height={1} aria-hidden="true" />{show(high)}</span>;
}
