// Phases, conditions and reasons in words for people who have not read the reference.
import type { Condition, Job } from "./types";

export type Tone = "running" | "good" | "stopped" | "bad" | "quiet";

export const PHASES: Record<string, { tone: Tone; label: string }> = {
  Pending: { tone: "quiet", label: "Pending" },
  Running: { tone: "running", label: "Running" },
  Collecting: { tone: "running", label: "Collecting" },
  Stopping: { tone: "running", label: "Stopping" },
  Confirming: { tone: "running", label: "Confirming" },
  Paused: { tone: "quiet", label: "Paused" },
  Suspended: { tone: "quiet", label: "Suspended" },
  Completed: { tone: "good", label: "Completed" },
  EarlyStopped: { tone: "stopped", label: "Early stopped" },
  Stopped: { tone: "quiet", label: "Stopped" },
  Failed: { tone: "bad", label: "Failed" },
};

export const phaseOf = (phase: string | undefined): { tone: Tone; label: string } =>
  PHASES[phase ?? "Pending"] ?? { tone: "quiet", label: phase ?? "Pending" };

const WELL: Record<string, [well: string, unwell: string, wellWhen: "True" | "False"]> = {
  TemplateValid: ["The API server accepts the Pod template", "The API server refuses the Pod template", "True"],
  MetricsAvailable: ["Prometheus answers", "Prometheus does not answer", "True"],
  ParentsReady: ["The parent jobs are ready", "Waiting for the parent jobs", "True"],
  QuotaExceeded: ["Quota allows the next Pod", "The next Pod is waiting for quota", "False"],
  Stalled: ["Trials report epochs", "Trials fail: no trial is added until one reports an epoch", "False"],
  Waiting: ["Trials are training", "No trial is training", "False"],
  Suspended: ["Not suspended", "Suspended: no new trial is started", "False"],
  Reconciled: ["The last reconciliation succeeded", "The last reconciliation failed", "True"],
};
const ENDS: Record<string, string> = { Complete: "The job is complete", Stopped: "The job was stopped", Failed: "The job failed" };

export interface Said { type: string; text: string; detail: string; tone: Tone; since: string }

/** Conditions as sentences, those that want attention first; ends that have not come are left out. */
export function conditions(job: Job): Said[] {
  const said = (job.status.conditions ?? []).flatMap((condition) => say(condition));
  const order: Tone[] = ["bad", "stopped", "running", "quiet", "good"];
  return said.sort((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}

function say(condition: Condition): Said[] {
  const base = { type: condition.type, detail: condition.message, since: condition.lastTransitionTime };
  // It repeats one of the ends.
  if (condition.type === "Finished") return [];
  const end = ENDS[condition.type];
  if (end) return condition.status === "True" ? [{ ...base, text: end, tone: condition.type === "Failed" ? "bad" : "good" }] : [];
  const known = WELL[condition.type];
  if (!known) return [{ ...base, text: `${condition.type}: ${condition.status}`, tone: "quiet" }];
  if (condition.status === "Unknown") return [{ ...base, text: `${condition.type} is not known`, tone: "quiet" }];
  const well = condition.status === known[2];
  return [{ ...base, text: well ? known[0] : known[1], tone: well ? "good" : condition.type === "Suspended" ? "quiet" : "stopped" }];
}

const REASONS: Record<string, string> = {
  MaxTrialsReached: "all trials have run",
  TargetReached: "the target was reached",
  MaxDurationReached: "its time limit was reached",
  MaxTrainingTimeReached: "its training time limit was reached",
  MaxGPUHoursReached: "its GPU hour limit was reached",
  MaxFailedTrialsReached: "too many trials failed",
  NoTrialSucceeded: "no trial succeeded",
  SpaceExhausted: "every point of the space has been tried",
  NoImprovement: "no improvement for long enough",
  Converged: "the model expects no more gain",
  StoppedByUser: "a user stopped it",
  InvalidTemplate: "its Pod template is invalid",
};
export const reasonInWords = (reason: string | undefined): string => (reason ? (REASONS[reason] ?? reason) : "");
