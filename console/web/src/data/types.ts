// What the back end sends. Numbers that JSON lacks come as the texts NaN, +Inf and -Inf.
export type Num = number | string;

export interface Condition { type: string; status: string; reason: string; message: string; lastTransitionTime: string }
export interface Counts { pending?: number; running?: number; paused?: number; completed?: number; earlyStopped?: number; stopped?: number; failed?: number }
/** How a setting does with other seeds. */
export interface Spread { mean?: Num; standardDeviation?: Num; repetitions?: number }
export interface Setting extends Spread { trial: string; objective?: Num; confirmed?: boolean }
export interface BestTrial { name: string; objective?: Num; epoch?: number; parameters?: Record<string, string>; job?: string; confirmation?: Spread }
export interface Range { min: number; max: number; scale?: string; step?: number }
export interface Parameter { name: string; continuous?: Range; integer?: Range; discrete?: { values: number[]; scale?: Range["scale"] }; categorical?: { values: string[] } }

export interface JobSpec {
  objective?: { metric: string; goal: "Maximize" | "Minimize"; value?: "Last" | "Best"; target?: number };
  strategy?: string;
  parameters?: Parameter[];
  staticParameters?: Record<string, string>;
  limits?: { maxTrials?: number; maxParallelTrials?: number; maxFailedTrials?: number; maxDuration?: string };
  earlyStopping?: { type?: string; dryRun?: boolean };
  suspend?: boolean;
  nodes?: number;
}

export interface JobStatus {
  phase?: string;
  conditions?: Condition[];
  startTime?: string;
  completionTime?: string;
  completionReason?: string;
  message?: string;
  progress?: string;
  trialCounts?: Counts;
  bestTrial?: BestTrial;
  overallBestTrial?: BestTrial;
  confirmation?: { progress?: string; message?: string; settings?: Setting[] };
  totalTrainingSeconds?: number;
  cost?: { gpuHours?: string; spent?: string; currency?: string };
  idleSeconds?: number;
  earlyStopping?: {
    stopped?: number; epochsSaved?: number; secondsSaved?: number; wouldStop?: number;
    wouldSaveSeconds?: number; wouldMissBest?: boolean; message?: string;
  };
  suggestion?: { trial?: number; source?: string; expectedGain?: string; message?: string };
}

export interface Job {
  name: string; namespace: string; uid: string; version: string; created?: string; deleting?: boolean;
  spec: JobSpec; status: JobStatus;
}

export interface Decision { reason: string; message?: string; epoch?: Num; value?: Num; threshold?: Num }
export interface Wire { epochs: Num[]; values: Num[] }

export interface TrialRow {
  name: string; number: number; uid: string; created?: string; parameters?: Record<string, string>; phase: string;
  objective?: Num; objectiveEpoch?: number; epochs?: number; seconds?: number; start?: string; end?: string; attempt?: number; attemptTime?: string;
  disruptions?: number; failures?: number; resumptions?: number; reason?: string; message?: string; decision?: Decision; would?: Decision;
  metrics?: Record<string, Num>; source?: string; sourceMessage?: string; gain?: Num;
  confirms?: number;
  curve?: Wire; tail?: Wire;
}

export interface Trial extends Omit<TrialRow, "curve" | "tail"> { x: number[]; y: number[] }

export interface PodCondition { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }
export interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt?: string };
  terminated?: { exitCode?: number; reason?: string; startedAt?: string; finishedAt?: string };
}
export interface Pod {
  name: string; created?: string; deleted?: string; node?: string; phase?: string; reason?: string; message?: string;
  start?: string; conditions: PodCondition[]; containers: { name: string; image?: string; state: ContainerState }[];
  training?: string;
}
export interface KubeEvent { time?: string; type?: string; reason?: string; message?: string; count?: number; about?: string }

export interface End { reason: "limit" | "expired" | "refused"; message: string; status?: number; source?: string }
export interface Frame {
  job?: Job; jobs?: Job[]; trials?: TrialRow[]; ready?: Record<string, string>; at?: Record<string, string>;
  gone?: string; deleted?: boolean; beat?: boolean; end?: End;
}
