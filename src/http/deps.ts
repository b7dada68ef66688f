import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Caller } from "../auth/caller.ts";
import type { MetricsDeps } from "../services/metrics.ts";
import type { RunDeps } from "../services/run-deps.ts";
import type { StoreDeps } from "../services/store.ts";
import type { CorsSettings } from "../model/cors.ts";
import type { HeaderRules } from "../model/header-rules.ts";
import type { RouteGroup } from "../model/route-groups.ts";

/** What the routes work with: all that the services need, and what concerns HTTP alone. */
export interface AppDeps extends RunDeps, StoreDeps, MetricsDeps {
  http: HttpSettings;
}

export interface HttpSettings {
  cors: CorsSettings;
  /** Which headers graphs see in `configurable`; null: none. */
  configurableHeaders: HeaderRules | null;
  /** Parts of the API that are not served: their paths are unknown. */
  disabledRoutes: readonly RouteGroup[];
  /** The size of a request body after decompression; above it the answer is 413. */
  maxBodyBytes: number;
  /** What graphs do may be traced at LangSmith. */
  langsmith: boolean;
  /** Of the LangGraph that the project has installed; null when it has none. */
  langgraphVersion: string | null;
}

/** What the middleware has found out about a request, by `c.get(name)`. */
export interface AppEnv {
  Variables: { caller: Caller; requestId: string };
}

export type App = OpenAPIHono<AppEnv>;

/** What every route file exports a maker of: `threadRoutes(deps)`. */
export type MountRoutes = (app: App) => void;
