// Loading, empty and error: what is shown when there is nothing to show.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { ApiError } from "../data/api";
import type { Live } from "../data/live";
import { Icon } from "./icons";

/** `whole`: the page has no other heading. */
export function State({ icon, title, whole, children }: { icon: string; title: string; whole?: boolean; children?: ComponentChildren }): JSX.Element {
  const Heading = whole ? "h1" : "h2";
  return (
    <div class="state" role="status">
      <Icon name={icon} />
      <Heading>{title}</Heading>
      {children}
    </div>
  );
}

const TITLES: Record<number, string> = {
  0: "No connection", 400: "Invalid address", 401: "The token is not accepted",
  403: "Your token may not see this", 404: "Not found", 422: "This cannot be computed", 429: "Too many requests",
  501: "Not installed", 502: "The API server does not answer", 504: "This takes too long",
};
const ADVICE: Record<number, string> = {
  401: "It has expired or was revoked: sign in again.",
  403: "Ask for the role “view” in the namespace, which the operator's chart extends; or choose another namespace.",
  404: "It may have been deleted.",
  502: "The page reloads as soon as it does.",
};

/** An error in the words of whoever made it. */
export function Problem({ error, whole = false }: { error: ApiError; whole?: boolean }): JSX.Element {
  return (
    <State icon={error.status === 401 || error.status === 403 ? "lock" : "plug"} title={TITLES[error.status] ?? "Something went wrong"} whole={whole}>
      <p>
        {error.source === "apiserver" && "The API server says: "}
        {error.message}
      </p>
      {ADVICE[error.status] && <p>{ADVICE[error.status]}</p>}
    </State>
  );
}

export function Loading({ rows = 6 }: { rows?: number }): JSX.Element {
  return (
    <div aria-busy="true" role="status">
      <span class="hidden">Loading</span>
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} class="bone shimmer" style={{ height: index === 0 ? "5rem" : "2.2rem", marginBottom: "0.7rem", animationDelay: `${index * 0.08}s` }} />
      ))}
    </div>
  );
}

/** A live page's data: made when the key changes, closed when the page is left. */
export function useLive<T extends Live>(make: () => T, key: string): T {
  const [live, setLive] = useState<T>(make);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    const mine = make();
    setLive(mine);
    const unsubscribe = mine.subscribe(() => redraw(undefined));
    void mine.run();
    return () => {
      unsubscribe();
      mine.close();
    };
  }, [key]);
  return live;
}

export interface Answer<T> { value: T | null; error: ApiError | null }

/** An answer that is asked for once, and again when the key changes. */
export function useAnswer<T>(ask: (signal: AbortSignal) => Promise<T>, key: string): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ value: null, error: null });
  useEffect(() => {
    const stop = new AbortController();
    ask(stop.signal).then(
      (value) => setAnswer({ value, error: null }),
      (error: unknown) => {
        if (stop.signal.aborted) return;
        setAnswer({ value: null, error: error instanceof ApiError ? error : new ApiError(0, String(error), "browser") });
      },
    );
    return () => stop.abort();
  }, [key]);
  return answer;
}

export function LinkState({ live }: { live: Live }): JSX.Element {
  const words = { loading: "Loading", live: "Live", waiting: "Reconnecting", failed: "Not connected", deleted: "Deleted" };
  return (
    <span class={`link-state ${live.link}`} role="status" title={live.error?.message}>
      <i class={live.link === "live" ? "pulse" : ""} />
      {words[live.link]}
    </span>
  );
}
