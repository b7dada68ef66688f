import type { RouteGroup } from "../model/route-groups.ts";
import { Api } from "./api.ts";
import type { App, AppDeps, MountRoutes } from "./deps.ts";
import { errorResponse } from "./errors.ts";
import { caller } from "./middleware/caller.ts";
import { durable } from "./middleware/durable.ts";
import { cors } from "./middleware/cors.ts";
import { measure } from "./middleware/measure.ts";
import { requestId } from "./middleware/request-id.ts";
import { requestLog } from "./middleware/request-log.ts";
import { RequestMetrics } from "./request-metrics.ts";
import { assistantChangeRoutes } from "./routes/assistant-changes.ts";
import { assistantRoutes } from "./routes/assistants.ts";
import { cronRoutes } from "./routes/crons.ts";
import { docsRoutes } from "./routes/docs.ts";
import { metricsRoutes } from "./routes/metrics.ts";
import { notYetRoutes } from "./routes/not-yet.ts";
import { protocolRoutes } from "./routes/protocol.ts";
import { runCreateRoutes } from "./routes/run-create.ts";
import { runJoinRoutes } from "./routes/run-join.ts";
import { runManyRoutes } from "./routes/run-many.ts";
import { runRoutes } from "./routes/runs.ts";
import { storeRoutes } from "./routes/store.ts";
import { healthRoutes, infoRoutes } from "./routes/system.ts";
import { threadStateRoutes } from "./routes/thread-state.ts";
import { threadStreamRoutes } from "./routes/thread-stream.ts";
import { threadRoutes } from "./routes/threads.ts";
import { webhookRoutes } from "./routes/webhooks.ts";
import { unknownPath } from "./unknown-path.ts";

/** The whole HTTP API as one Hono app. Routes that come first win. */
export function createApp(deps: AppDeps): App {
  const app = new Api(deps.http);
  const requests = new RequestMetrics();
  app.use(
    requestId(),
    requestLog(deps.log),
    measure(requests),
    cors(deps.http.cors),
    caller(deps.http.configurableHeaders),
    durable(() => deps.database.durable()),
  );
  app.onError((error, c) => errorResponse(error, c, deps.log));
  for (const mount of routes(deps, requests)) mount(app);
  app.notFound(unknownPath(app));
  return app;
}

function routes(deps: AppDeps, requests: RequestMetrics): MountRoutes[] {
  const { disabledRoutes } = deps.http;
  const of = (groups: RouteGroup[], ...mounts: MountRoutes[]) =>
    groups.some((group) => disabledRoutes.includes(group)) ? [] : mounts;
  return [
    healthRoutes(deps),
    ...of(["meta"], infoRoutes(deps), metricsRoutes(deps, requests)),
    ...of(["meta"], docsRoutes()),
    ...of(["assistants"], assistantRoutes(deps), assistantChangeRoutes(deps)),
    ...of(["threads"], threadRoutes(deps), threadStateRoutes(deps)),
    ...of(["threads"], threadStreamRoutes(deps)),
    ...of(["threads", "runs"], protocolRoutes(deps)),
    ...of(["runs"], cronRoutes(deps)),
    ...of(["runs"], runCreateRoutes(deps), runManyRoutes(deps)),
    ...of(["runs"], runRoutes(deps), runJoinRoutes(deps)),
    ...of(["store"], storeRoutes(deps)),
    webhookRoutes(deps),
    notYetRoutes(), // last: a route that is there wins over one that is not yet
  ];
}
