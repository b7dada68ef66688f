import { createRoute, z } from "@hono/zod-openapi";
import {
  assistantCreate,
  assistantPatch,
  assistantVersionSearch,
} from "../../model/assistant-requests.ts";
import { assistantShape } from "../../model/assistant-shape.ts";
import { invalid } from "../../model/errors.ts";
import { lenientBoolean } from "../../model/fields.ts";
import {
  activateAssistantVersion,
  changeAssistant,
  createAssistant,
  listAssistantVersions,
} from "../../services/assistant-changes.ts";
import { deleteAssistant } from "../../services/assistant-delete.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { assistantId } from "../path-assistant.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";

const tags = ["Assistants"];

const create = createRoute({
  method: "post",
  path: "/assistants",
  tags,
  summary: "Create an assistant: a graph with a configuration of its own",
  request: { body: jsonBody(assistantCreate) },
  responses: {
    200: jsonResponse(assistantShape, "The assistant."),
    ...errorResponses(404, 409, 422),
  },
});

const patch = createRoute({
  method: "patch",
  path: "/assistants/{assistant_id}",
  tags,
  summary: "Change an assistant, which makes a new version of it",
  request: { params: assistantId, body: jsonBody(assistantPatch) },
  responses: {
    200: jsonResponse(assistantShape, "The assistant."),
    ...errorResponses(404, 422),
  },
});

const remove = createRoute({
  method: "delete",
  path: "/assistants/{assistant_id}",
  tags,
  summary: "Delete an assistant with its versions and runs",
  request: {
    params: assistantId,
    query: z.object({ delete_threads: lenientBoolean.optional() }),
  },
  responses: {
    200: jsonResponse(z.array(z.guid()), "Its id."),
    ...errorResponses(404, 422),
  },
});

const versions = createRoute({
  method: "post",
  path: "/assistants/{assistant_id}/versions",
  tags,
  summary: "The versions of an assistant, newest first",
  request: { params: assistantId, body: jsonBody(assistantVersionSearch) },
  responses: {
    200: jsonResponse(
      z.array(assistantShape.omit({ updated_at: true })),
      "The versions.",
    ),
    ...errorResponses(404, 422),
  },
});

const version = z.int().min(1);

const activate = createRoute({
  method: "post",
  path: "/assistants/{assistant_id}/latest",
  tags,
  summary: "Make a version the active one",
  request: {
    params: assistantId,
    // The SDKs send it in the body, the official description has it in the query.
    query: z.object({ version: z.coerce.number().pipe(version).optional() }),
    body: jsonBody(z.object({ version: version.nullish() })),
  },
  responses: {
    200: jsonResponse(assistantShape, "The assistant."),
    ...errorResponses(404, 422),
  },
});

export function assistantChangeRoutes(
  deps: Pick<AppDeps, "database" | "workers" | "events">,
): MountRoutes {
  return (app) => {
    app.openapi(create, async (c) => {
      const input = c.req.valid("json");
      return c.json(await createAssistant(deps, c.get("caller"), input), 200);
    });
    app.openapi(patch, async (c) => {
      const changed = await changeAssistant(deps, c.get("caller"), {
        ...c.req.valid("param"),
        patch: c.req.valid("json"),
      });
      return c.json(changed, 200);
    });
    app.openapi(remove, async (c) => {
      const id = await deleteAssistant(deps, c.get("caller"), {
        ...c.req.valid("param"),
        delete_threads: c.req.valid("query").delete_threads ?? false,
      });
      return c.json([id], 200);
    });
    app.openapi(versions, async (c) => {
      const found = await listAssistantVersions(deps, c.get("caller"), {
        ...c.req.valid("param"),
        search: c.req.valid("json"),
      });
      return c.json(found, 200);
    });
    app.openapi(activate, async (c) => {
      const chosen =
        c.req.valid("json").version ?? c.req.valid("query").version;
      if (chosen === undefined) throw invalid("version", "required");
      const active = await activateAssistantVersion(deps, c.get("caller"), {
        ...c.req.valid("param"),
        version: chosen,
      });
      return c.json(active, 200);
    });
  };
}
