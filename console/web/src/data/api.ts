// Questions to the back end: GET with the token, which is kept in memory and nowhere else.
import type { Frame } from "./types";

export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly source: string) {
    super(message);
  }
}

export interface Session { mode: "token" | "local"; namespaces?: string[]; session?: string; namespace?: string; context?: string; server?: string }

let token = "";

export function setToken(value: string): void {
  token = value;
}

export function hasToken(): boolean {
  return token !== "";
}

async function ask(path: string, signal?: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  let answer: Response;
  try {
    answer = await fetch(`api/${path}`, { headers, credentials: "same-origin", cache: "no-store", redirect: "error", ...(signal && { signal }) });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The console does not answer: it was stopped, or the network is down.", "browser");
  }
  if (answer.ok) return answer;
  let said: { message?: string; source?: string } = {};
  try {
    said = ((await answer.json()) as { error: typeof said }).error ?? {};
  } catch {
    // A proxy in between answers in its own way; its status says enough.
  }
  throw new ApiError(answer.status, said.message ?? `${answer.status} ${answer.statusText}`, said.source ?? "proxy");
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, signal)).json()) as T;
}

export async function getText(path: string, signal?: AbortSignal): Promise<string> {
  return (await ask(path, signal)).text();
}

/** The frames of a stream, one JSON object a line. */
export async function* stream(path: string, signal: AbortSignal): AsyncGenerator<Frame> {
  const body = (await ask(path, signal)).body;
  if (!body) return;
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line) yield JSON.parse(line) as Frame;
  }
}

/** The session: by the secret in the address on a laptop, by what a proxy adds, or by a token that is pasted. */
export async function openSession(): Promise<Session> {
  const secret = /^#secret=([\w-]+)$/.exec(location.hash)?.[1];
  if (secret) {
    history.replaceState(null, "", `${location.pathname}#/`);
    dispatchEvent(new HashChangeEvent("hashchange"));
    token = secret;
  } else if (!token) {
    token = sessionStorage.getItem(LOCAL) ?? "";
  }
  try {
    const session = await getJson<Session>("session");
    if (session.session) {
      token = session.session;
      // Good for this console process alone; a token of the cluster is never stored.
      sessionStorage.setItem(LOCAL, token);
    }
    return session;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) sessionStorage.removeItem(LOCAL);
    throw error;
  }
}

const LOCAL = "tuning-console-local-session";
