// What each tab of a job's page is given.
import type { Job, Trial } from "../data/types";

/** `whole`: all trials are there; until then nothing is said of what is missing. */
export interface TabProps { job: Job; trials: Trial[]; now: number; whole: boolean }
