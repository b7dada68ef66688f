import { createRoute, z } from "@hono/zod-openapi";
import { prometheusText } from "../../lib/prometheus.ts";
import { asMetrics, collectMetrics } from "../../services/metrics.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import type { RequestMetrics } from "../request-metrics.ts";
import { errorResponses, jsonResponse } from "../responses.ts";

const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

const count = z.record(z.string(), z.number());

const getMetrics = createRoute({
  method: "get",
  path: "/metrics",
  tags: ["System"],
  summary: "Numbers to watch the server by",
  request: {
    query: z.object({
      format: z.enum(["prometheus", "json"]).default("prometheus"),
    }),
  },
  responses: {
    200: {
      description: "In the text format of Prometheus, or as JSON.",
      content: {
        "text/plain": { schema: z.string() },
        ...jsonResponse(
          z.object({
            queue: count,
            workers: count,
            runs_ended: count,
            webhooks: count,
            process: count,
          }),
          "",
        ).content,
      },
    },
    ...errorResponses(422),
  },
});

export function metricsRoutes(
  deps: AppDeps,
  requests: RequestMetrics,
): MountRoutes {
  return (app) => {
    app.openapi(getMetrics, async (c) => {
      const found = await collectMetrics(deps);
      if (c.req.valid("query").format === "json") return c.json(found, 200);
      const text = prometheusText([...asMetrics(found), ...requests.metrics()]);
      return c.text(text, 200, { "Content-Type": PROMETHEUS });
    });
  };
}
