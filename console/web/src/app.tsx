// The frame around the pages: who is signed in, where one is, and what the address says.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import iconUrl from "./icon.svg";
import { ApiError, hasToken, openSession, type Session, setToken } from "./data/api";
import { jobLink, link, type Route, useRoute } from "./data/route";
import { Icon } from "./parts/icons";
import { Loading, Problem, State } from "./parts/states";
import { ComparePage } from "./pages/compare";
import { JobPage } from "./pages/job";
import { JobsPage } from "./pages/jobs";
import { SignIn } from "./pages/signin";
import { TrialPage } from "./pages/trial";
import { type Theme, useTheme } from "./theme";

export function App(): JSX.Element {
  const [theme, setTheme] = useTheme();
  const [session, setSession] = useState<Session | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const route = useRoute();

  const open = (): void => {
    openSession().then((made) => {
      setSession(made);
      setError(null);
    }, (failed: unknown) => setError(failed instanceof ApiError ? failed : new ApiError(0, String(failed), "browser")));
  };
  useEffect(open, []);
  const signOut = (): void => {
    setToken("");
    setSession(null);
    setError(new ApiError(401, "", "console"));
  };

  return (
    <>
      <header class="top">
        <a class="home" href="#/" aria-label="Tuning: all jobs"><img src={iconUrl} alt="" /><span>Tuning</span></a>
        <nav aria-label="Where you are"><Crumbs route={route} /></nav>
        <span class="spacer" />
        {session?.mode === "local" && <span class="small muted nowrap" title={session.server}>{session.context}</span>}
        <ThemeButton theme={theme} setTheme={setTheme} />
        {session?.mode === "token" && hasToken() && (
          <button type="button" class="button icon" title="Forget the token" aria-label="Sign out" onClick={signOut}><Icon name="out" /></button>
        )}
      </header>
      <main id="main">
        {session ? <Page route={route} session={session} key={route.path.join("/")} />
          : error?.status === 401 ? <SignIn said={error} onToken={(token) => { setToken(token); open(); }} />
          : error ? <Problem whole error={error} /> : <Loading />}
      </main>
    </>
  );
}

function Page({ route, session }: { route: Route; session: Session }): JSX.Element {
  const [first, namespace = "", kind, name = "", tab = "overview"] = route.path;
  const title = first === "ns" && kind && name ? `${name} · Tuning` : "Tuning";
  useEffect(() => {
    document.title = title;
  }, [title]);
  if (!first || (first === "ns" && !kind)) return <JobsPage session={session} {...(namespace && { namespace })} />;
  if (first === "compare") return <ComparePage />;
  if (first === "ns" && kind === "jobs") return <JobPage namespace={namespace} name={name} tab={tab} />;
  if (first === "ns" && kind === "trials") return <TrialPage namespace={namespace} name={name} />;
  return <State whole icon="plug" title="Page not found"><p><a href="#/">All jobs</a></p></State>;
}

function Crumbs({ route }: { route: Route }): JSX.Element | null {
  const [first, namespace, kind, name] = route.path;
  if (first === "compare") return <ol class="crumbs"><li><span aria-current="page">compare</span></li></ol>;
  if (first !== "ns" || !namespace) return null;
  const job = kind === "trials" && name ? name.replace(/-\d{4,}$/, "") : undefined;
  return (
    <ol class="crumbs">
      <li><a href={link(["ns", namespace])}>{namespace}</a></li>
      {job && <li><a href={jobLink(namespace, job)}>{job}</a></li>}
      {name && <li><span aria-current="page">{job ? name.slice(job.length + 1) : name}</span></li>}
    </ol>
  );
}

const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

function ThemeButton({ theme, setTheme }: { theme: Theme; setTheme: (theme: Theme) => void }): JSX.Element {
  const icon = { system: "system", light: "sun", dark: "moon" }[theme];
  return (
    <button type="button" class="button icon" onClick={() => setTheme(NEXT[theme])} aria-label={`Colours: ${theme}. Change to ${NEXT[theme]}`} title={`Colours: ${theme}`}>
      <Icon name={icon} />
    </button>
  );
}
