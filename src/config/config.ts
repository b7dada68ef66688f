import type { JsonObject } from "../lib/json.ts";
import type { LogSettings } from "../lib/logger.ts";
import type { CorsSettings } from "../model/cors.ts";
import type { MissedTicks } from "../model/cron.ts";
import type { HeaderRules } from "../model/header-rules.ts";
import type { RouteGroup } from "../model/route-groups.ts";
import type { StoreTtl } from "../model/store-item.ts";
import type { WebhookRules } from "../model/webhook-policy.ts";
import type { ThreadSweep, TtlRule } from "../model/thread.ts";
import type { GraphSpec } from "../protocol/graph-frames.ts";
import type { Env } from "./env.ts";
import type { StoreIndexConfig } from "./store-index.ts";

/** `dev` reloads and is lenient; `start` is for production. */
export type Mode = "dev" | "start";

export type Durability = "full" | "relaxed";

/** What the command line gave, as the user wrote it. */
export interface Flags {
  port?: string;
  host?: string;
  config?: string;
  dataDir?: string;
  workers?: string;
  nJobsPerWorker?: string;
  workerHeap?: string;
  durability?: string;
  /** False after `--no-reload`. */
  reload: boolean;
  /** False after `--no-http`. */
  http?: boolean;
}

/** What the program needs to know about the machine. */
export interface Machine {
  /** What the process was started with. */
  env: Env;
  cores: number;
  nodeMajor: number;
  /** The output is a terminal. */
  isTerminal: boolean;
}

export interface PostgresSettings {
  uri: string;
  /** Where to listen for notifications when `uri` leads to a pooler; null: at `uri`. */
  directUri: string | null;
  /** Connections at most, besides the one that listens. */
  poolSize: number;
  /** Statements are prepared once per connection; false behind a pooler that does not know them; null: unless a pooler is in between. */
  prepares: boolean | null;
}

/** Everything that `startServer` needs to know. */
export interface Config {
  mode: Mode;
  host: string;
  port: {
    /** 0 takes any free one. */
    value: number;
    /** The user asked for this one: when it is taken, no other will do. */
    explicit: boolean;
  };
  /** Absolute path of langgraph.json. */
  configPath: string;
  /** Absolute path of its folder. */
  root: string;
  graphs: GraphSpec[];
  /** Absolute path of the folder for the database and caches. */
  dataDir: string;
  /** Null: a SQLite file in the data folder. */
  postgres: PostgresSettings | null;
  /** `full`: an acknowledged write survives power loss. `relaxed`: kill -9, not power loss. */
  durability: Durability;
  /** Worker processes, at least 1. */
  workers: number;
  /** Runs at once per worker; 0 executes none here. */
  jobsPerWorker: number;
  /** Limit of the JavaScript heap of a worker; null: Node's own. */
  workerHeapMb: number | null;
  /** False: it executes runs that other servers have accepted, and listens nowhere. */
  servesHttp: boolean;
  /** Replace workers when a file of the project changes. */
  reload: boolean;
  bodyLimitBytes: number;
  cors: CorsSettings;
  /** `http.configurable_headers`; null: graphs see no headers. */
  configurableHeaders: HeaderRules | null;
  /** Parts of the API that are not served. */
  disabledRoutes: RouteGroup[];
  log: LogSettings;
  /** Null: threads do not expire unless they say so. */
  ttl: TtlRule | null;
  threadSweep: ThreadSweep;
  storeTtl: StoreTtl;
  webhooks: WebhookSettings;
  /** Null: nothing is found by what it means. */
  storeIndex: StoreIndexConfig | null;
  missedTicks: MissedTicks;
  /** The whole environment of a worker process. */
  workerEnv: Record<string, string>;
  /** Graph id -> config of its default assistant, `context` among the keys. */
  langgraphConfig: Record<string, JsonObject>;
  runTimeoutSeconds: number;
  shutdownGraceSeconds: number;
  /** How many deaths of its worker a run may be the cause of; the one that makes it full ends it. */
  maxRetries: number;
  /** From the abort signal to the kill of the worker. */
  cancelGraceSeconds: number;
  /** How long the events of a run are kept after its end. */
  streamRetentionSeconds: number;
  /** What graphs do may be traced there: there is a key, and nobody has said no. */
  langsmith: boolean;
  /** Where Studio is; the page takes `?baseUrl=`. */
  studioUrl: string;
}

export interface WebhookSettings {
  /** False: runs may ask for them, and nothing is sent. */
  isEnabled: boolean;
  rules: WebhookRules;
  /** Sent with each. */
  headers: Record<string, string>;
  /** Each signs; none: nothing is signed. */
  signingKeys: Buffer[];
}
