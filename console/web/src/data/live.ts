// A page's data, kept up to date: the first frames say what is there, the others what changes.
import { ApiError, stream } from "./api";
import { num } from "./numbers";
import type { Frame, Job, Trial, TrialRow } from "./types";

export type Link = "loading" | "live" | "waiting" | "failed" | "deleted";
const QUICK_MS = 100;
// Of a thousand curves each drawing takes a while; nobody sees more than two a second.
const MANY = 200;
const MANY_MS = 500;
const HIDDEN_MS = 30_000;
const LONGEST_WAIT_MS = 30_000;

/** Frames of one address, taken in until it is closed; listeners hear of it at most ten times a second. */
export abstract class Live {
  link: Link = "loading";
  error: ApiError | null = null;
  bytes = 0;
  private versions: Record<string, string> = {};
  private ready = false;
  private readonly listeners = new Set<() => void>();
  private readonly stop = new AbortController();
  private connection = new AbortController();
  private timer = 0;

  constructor(private readonly path: string) {}

  /** Whether nothing more is to be expected, so that the connection can be given back. */
  protected over(): boolean {
    return false;
  }

  protected abstract take(frame: Frame): void;

  /** Milliseconds between two drawings. */
  protected pace(): number {
    return QUICK_MS;
  }

  protected abstract reset(): void;

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  close(): void {
    this.stop.abort();
  }

  async run(): Promise<void> {
    const unwatch = whileHidden(() => this.connection.abort());
    let wait = 500;
    while (!this.stop.signal.aborted && !(this.ready && this.over())) {
      await shown();
      this.connection = new AbortController();
      try {
        if (await this.once()) wait = 500;
      } catch (error) {
        if (this.stop.signal.aborted) break;
        if (!this.connection.signal.aborted) this.fail(error);
        if (this.link === "failed") break;
      }
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
    unwatch();
  }

  /** One connection; returns whether anything came. */
  private async once(): Promise<boolean> {
    let any = false;
    const query = this.ready ? `?${new URLSearchParams(this.versions)}` : "";
    if (!this.ready) this.reset();
    for await (const frame of stream(this.path + query, AbortSignal.any([this.stop.signal, this.connection.signal]))) {
      any = true;
      if (frame.end) {
        if (frame.end.reason === "expired") this.ready = false;
        if (frame.end.reason === "refused") throw new ApiError(frame.end.status ?? 0, frame.end.message, frame.end.source ?? "console");
        return true;
      }
      this.take(frame);
      Object.assign(this.versions, frame.ready, frame.at);
      if (frame.ready) this.ready = true;
      if (frame.deleted) this.link = "deleted";
      else if (this.ready) this.link = "live";
      this.error = null;
      this.tell();
      if (this.ready && this.over()) return true;
    }
    // The connection broke without a last word.
    this.link = this.ready ? "waiting" : this.link;
    this.tell();
    return any;
  }

  private fail(error: unknown): void {
    this.error = error instanceof ApiError ? error : new ApiError(0, String(error), "browser");
    this.link = [400, 401, 403, 404].includes(this.error.status) ? "failed" : "waiting";
    this.tell();
  }

  private tell(): void {
    if (this.timer) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      for (const listener of this.listeners) listener();
    }, this.pace());
  }
}

export class LiveJobs extends Live {
  readonly jobs = new Map<string, Job>();

  protected reset(): void {
    this.jobs.clear();
  }

  protected take(frame: Frame): void {
    for (const job of frame.jobs ?? []) this.jobs.set(job.uid, job);
    if (frame.gone) this.jobs.delete(frame.gone);
  }
}

/** A job and its trials. `untilEnd`: it is not followed once it has ended. */
export class LiveJob extends Live {
  job: Job | null = null;
  readonly trials = new Map<string, Trial>();
  /** Grows with every change, so that what is computed from the trials can be kept until then. */
  change = 0;

  constructor(path: string, private readonly untilEnd = false) {
    super(path);
  }

  protected override over(): boolean {
    return this.untilEnd && Boolean(this.job?.status.completionTime);
  }

  protected override pace(): number {
    return this.trials.size > MANY ? MANY_MS : QUICK_MS;
  }

  protected reset(): void {
    this.trials.clear();
    this.job = null;
  }

  protected take(frame: Frame): void {
    if (frame.job) this.job = frame.job;
    for (const row of frame.trials ?? []) this.trials.set(row.name, merge(this.trials.get(row.name), row));
    if (frame.gone) this.trials.delete(frame.gone);
    this.change++;
  }
}

/** Browsers open few connections to a host: a tab that nobody sees gives its own back after a while. */
function whileHidden(leave: () => void): () => void {
  let timer = 0;
  const changed = (): void => {
    clearTimeout(timer);
    if (document.hidden) timer = window.setTimeout(leave, HIDDEN_MS);
  };
  document.addEventListener("visibilitychange", changed);
  return () => document.removeEventListener("visibilitychange", changed);
}

function shown(): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", () => resolve(), { once: true }));
}

/** A trial with its curve: the whole one if it came, else the known one and what was added. */
export function merge(known: Trial | undefined, row: TrialRow): Trial {
  const { curve, tail, ...rest } = row;
  if (curve) return { ...rest, x: curve.epochs.map(num), y: curve.values.map(num) };
  const x = known?.x ?? [];
  const y = known?.y ?? [];
  if (!tail) return { ...rest, x, y };
  return { ...rest, x: x.concat(tail.epochs.map(num)), y: y.concat(tail.values.map(num)) };
}
