// Dark and light: as the system says, until somebody chooses.
import { useEffect, useState } from "preact/hooks";

export type Theme = "system" | "light" | "dark";
const KEY = "tuning-console-theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

export function useTheme(): [Theme, (theme: Theme) => void, boolean] {
  const [theme, setTheme] = useState<Theme>(() => (localStorage.getItem(KEY) as Theme | null) ?? "system");
  const [system, setSystem] = useState(dark.matches);
  useEffect(() => {
    const changed = (): void => setSystem(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);
  const isDark = theme === "dark" || (theme === "system" && system);
  useEffect(() => {
    document.documentElement.dataset["theme"] = isDark ? "dark" : "light";
    localStorage.setItem(KEY, theme);
    dispatchEvent(new Event("themechange"));
  }, [theme, isDark]);
  return [theme, setTheme, isDark];
}

// Asking the browser for a style makes it work out all of them: once for each theme is enough.
const known = new Map<string, string>();
addEventListener("themechange", () => known.clear());

/** A colour of the theme, for canvases; called again when `themechange` says so. */
export function colour(name: string): string {
  let value = known.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    known.set(name, value);
  }
  return value;
}

/** Counts changes of the theme, so that canvases are drawn again. */
export function useThemeCount(): number {
  const [count, setCount] = useState(0);
  useEffect(() => {
    const changed = (): void => setCount((before) => before + 1);
    addEventListener("themechange", changed);
    return () => removeEventListener("themechange", changed);
  }, []);
  return count;
}
