// An object as YAML, as the API server has it.
import type { JSX } from "preact";
import { Loading, useAnswer } from "./states";

export function Manifest({ body }: { body: unknown }): JSX.Element {
  const text = useAnswer(async () => (await import("yaml")).stringify(body, { lineWidth: 0 }), JSON.stringify(body));
  return text.value === null ? <div class="body"><Loading rows={4} /></div> : <pre class="text" tabIndex={0} aria-label="Manifest">{text.value}</pre>;
}
