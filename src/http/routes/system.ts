import { createRoute, z } from "@hono/zod-openapi";
import { VERSION } from "../../lib/package-version.ts";
import { AppError } from "../../model/errors.ts";
import { lenientBoolean } from "../../model/fields.ts";
import { checkDatabase } from "../../services/system.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { jsonResponse } from "../responses.ts";

const health = z.object({ ok: z.boolean(), detail: z.string().optional() });

const getOk = createRoute({
  method: "get",
  path: "/ok",
  tags: ["System"],
  summary: "Whether the server is well",
  request: { query: z.object({ check_db: lenientBoolean.optional() }) },
  responses: {
    200: jsonResponse(health, "It is."),
    500: jsonResponse(health, "A check failed; `detail` says which."),
  },
});

const getRoot = createRoute({
  method: "get",
  path: "/",
  tags: ["System"],
  summary: "Whether the server is there",
  responses: { 200: jsonResponse(health, "It is.") },
});

const getInfo = createRoute({
  method: "get",
  path: "/info",
  tags: ["System"],
  summary: "Versions, and what this server can do",
  responses: {
    200: jsonResponse(
      z.object({
        version: z.string(),
        langgraph_js_version: z.string().nullable(),
        context: z.literal("js"),
        flags: z.record(z.string(), z.boolean()),
        metadata: z.record(z.string(), z.string()),
      }),
      "A flag that is missing is a feature that is missing.",
    ),
  },
});

/** Clients take a flag as a promise: true only for what works. */
const FLAGS = {
  assistants: true,
  crons: true,
  langsmith_tracing_replicas: false,
  stream_namespaces: true,
  strict_resume: true,
};

/** For whoever watches over the server: there whatever is turned off, and without `meta` nothing is looked up for it. */
export function healthRoutes(deps: AppDeps): MountRoutes {
  const mayCheck = !deps.http.disabledRoutes.includes("meta");
  return (app) => {
    app.openapi(getOk, async (c) => {
      if (!mayCheck || c.req.valid("query").check_db !== true)
        return c.json({ ok: true }, 200);
      try {
        await checkDatabase(deps);
        return c.json({ ok: true }, 200);
      } catch (cause) {
        if (!(cause instanceof AppError)) throw cause;
        deps.log.warn({ err: cause }, cause.message);
        return c.json({ ok: false, detail: cause.message }, 500);
      }
    });
  };
}

export function infoRoutes(deps: AppDeps): MountRoutes {
  return (app) => {
    app.openapi(getRoot, (c) => c.json({ ok: true }, 200));
    app.openapi(getInfo, (c) =>
      c.json(
        {
          version: VERSION,
          langgraph_js_version: deps.http.langgraphVersion,
          context: "js" as const,
          flags: { ...FLAGS, langsmith: deps.http.langsmith },
          metadata: { server: "spool", node: process.version },
        },
        200,
      ),
    );
  };
}
