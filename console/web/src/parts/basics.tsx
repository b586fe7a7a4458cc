// What pages are put together from.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { phaseOf } from "../data/words";
import { Shape } from "./icons";

export function Phase({ phase, pill }: { phase: string | undefined; pill?: boolean }): JSX.Element {
  const { tone, label } = phaseOf(phase);
  return (
    <span class={`phase ${tone}${pill ? " pill" : ""}`}>
      <Shape tone={tone} pulse={phase === "Running"} />
      {label}
    </span>
  );
}

export function Card({ title, actions, children, class: name = "", plain }: {
  title?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren; class?: string; plain?: boolean;
}): JSX.Element {
  return (
    <section class={`card ${name}`}>
      {title !== undefined && <header><h2>{title}</h2><span class="spacer" />{actions}</header>}
      {plain ? children : <div class="body">{children}</div>}
    </section>
  );
}

export interface StatLine { label: string; value: ComponentChildren; note?: ComponentChildren; lead?: boolean; title?: string }

export function Stats({ lines }: { lines: StatLine[] }): JSX.Element {
  return (
    <dl class="stats">
      {lines.map((line) => (
        <div key={line.label} class={line.lead ? "lead" : ""} title={line.title}>
          <dt>{line.label}</dt>
          <dd>{line.value}</dd>
          <dd class="note">{line.note ?? "\u00a0"}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Choice({ label, options, value, onChange }: {
  label: string; options: [value: string, text: string][]; value: string; onChange: (value: string) => void;
}): JSX.Element {
  return (
    <fieldset class="choice" role="radiogroup" aria-label={label} style={{ margin: 0, padding: 0 }}>
      {options.map(([each, text]) => (
        <label key={each}>
          <input type="radio" name={label} checked={each === value} onChange={() => onChange(each)} />
          {text}
        </label>
      ))}
    </fieldset>
  );
}

export function Check({ label, value, onChange }: { label: string; value: boolean; onChange: (value: boolean) => void }): JSX.Element {
  return (
    <label class="check">
      <input type="checkbox" checked={value} onChange={(event) => onChange(event.currentTarget.checked)} />
      {label}
    </label>
  );
}

/** The time, for what is counted up to now. */
export function useNow(everySeconds: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everySeconds * 1000);
    return () => clearInterval(timer);
  }, [everySeconds]);
  return now;
}

/** The width of an element, kept up to date. */
export function useWidth<T extends HTMLElement>(): [(element: T | null) => void, number] {
  const [element, setElement] = useState<T | null>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)));
    observer.observe(element);
    return () => observer.disconnect();
  }, [element]);
  return [setElement, width];
}
