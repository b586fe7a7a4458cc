// Where one is: everything that a page shows can be linked to, by what stands after the # in the address.
import { useEffect, useState } from "preact/hooks";

export interface Route { path: string[]; query: URLSearchParams }

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function link(path: string[], query: Record<string, string | undefined> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const text = new URLSearchParams(given).toString();
  return `#/${path.map(encodeURIComponent).join("/")}${text ? `?${text}` : ""}`;
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash));
  useEffect(() => {
    const changed = (): void => setRoute(parseRoute(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

/** A part of the page's state that is kept in the address; changing it adds no step to the history. */
export function useQuery(name: string, fallback: string): [string, (value: string) => void] {
  const route = useRoute();
  const set = (value: string): void => {
    const now = parseRoute(location.hash);
    if (value && value !== fallback) now.query.set(name, value);
    else now.query.delete(name);
    history.replaceState(null, "", link(now.path, Object.fromEntries(now.query)));
    dispatchEvent(new HashChangeEvent("hashchange"));
  };
  return [route.query.get(name) ?? fallback, set];
}

export const jobLink = (namespace: string, job: string, tab?: string, query: Record<string, string> = {}): string =>
  link(["ns", namespace, "jobs", job, ...(tab ? [tab] : [])], query);
export const trialLink = (namespace: string, trial: string): string => link(["ns", namespace, "trials", trial]);
