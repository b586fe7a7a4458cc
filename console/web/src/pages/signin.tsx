// A token is pasted where no proxy brings one; it stays in this tab's memory.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { ApiError } from "../data/api";
import { Icon } from "../parts/icons";

export function SignIn({ said, onToken }: { said: ApiError; onToken: (token: string) => void }): JSX.Element {
  const [token, setToken] = useState("");
  const local = said.message.includes("tuning-client console");
  return (
    <section class="card sign-in">
      <form onSubmit={(event) => {
        event.preventDefault();
        if (token.trim()) onToken(token.trim());
      }}>
        <div class="title-row"><Icon name="lock" /><h1>Sign in</h1></div>
        {local ? <p>{said.message}.</p> : (
          <>
            <p class="muted">
              The console has no rights. It shows what your token may read, passes it on to the API server, and keeps it in this
              tab alone: it is gone when the tab is closed or reloaded.
            </p>
            <label for="token">Bearer token</label>
            <textarea id="token" class="field" spellcheck={false} autocomplete="off" value={token} onInput={(event) => setToken(event.currentTarget.value)} />
            <p class="small muted">For example of a service account with the role “view”: <code>kubectl create token NAME --namespace NAMESPACE</code></p>
            {said.source === "apiserver" && <p role="alert">The API server says: {said.message}</p>}
            <div><button class="button primary" type="submit" disabled={!token.trim()}>Sign in</button></div>
          </>
        )}
      </form>
    </section>
  );
}
