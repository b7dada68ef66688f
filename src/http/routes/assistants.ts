import { createRoute, z } from "@hono/zod-openapi";
import {
  assistantCount,
  assistantSearch,
  type AssistantField,
} from "../../model/assistant-requests.ts";
import {
  assistantShape,
  drawableGraphShape,
  graphSchemasShape,
  subgraphsShape,
} from "../../model/assistant-shape.ts";
import type { Assistant } from "../../model/assistant.ts";
import { lenientBoolean } from "../../model/fields.ts";
import {
  countMatching,
  drawGraph,
  graphSchemas,
  listAssistants,
  readAssistant,
  subgraphSchemas,
} from "../../services/assistants.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { assistantId } from "../path-assistant.ts";
import { setPagination } from "../pagination.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";

const tags = ["Assistants"];

const search = createRoute({
  method: "post",
  path: "/assistants/search",
  tags,
  summary: "Search assistants",
  request: { body: jsonBody(assistantSearch) },
  responses: {
    200: jsonResponse(
      z.array(assistantShape.partial()),
      "One page; `X-Pagination-Total` counts all, `X-Pagination-Next` is the offset of the next one.",
    ),
    ...errorResponses(422),
  },
});

const count = createRoute({
  method: "post",
  path: "/assistants/count",
  tags,
  summary: "Count assistants",
  request: { body: jsonBody(assistantCount) },
  responses: {
    200: jsonResponse(z.int(), "The number."),
    ...errorResponses(422),
  },
});

const get = createRoute({
  method: "get",
  path: "/assistants/{assistant_id}",
  tags,
  summary: "One assistant",
  request: { params: assistantId },
  responses: {
    200: jsonResponse(assistantShape, "The assistant."),
    ...errorResponses(404),
  },
});

const depth = z
  .string()
  .regex(/^\d{1,4}$/, "must be a depth")
  .transform(Number);

/** A depth, or all the way, or not at all. */
const xray = z
  .union([depth, lenientBoolean])
  .optional()
  .meta({ anyOf: [{ type: "boolean" }, { type: "integer", minimum: 0 }] });

const graph = createRoute({
  method: "get",
  path: "/assistants/{assistant_id}/graph",
  tags,
  summary: "The graph, as nodes and edges",
  request: { params: assistantId, query: z.object({ xray }) },
  responses: {
    200: jsonResponse(drawableGraphShape, "The graph."),
    ...errorResponses(404, 422),
  },
});

const schemas = createRoute({
  method: "get",
  path: "/assistants/{assistant_id}/schemas",
  tags,
  summary: "What goes into the graph, is in it, and comes out of it",
  request: { params: assistantId },
  responses: {
    200: jsonResponse(
      graphSchemasShape,
      "JSON Schemas; null for what cannot be told from the graph.",
    ),
    ...errorResponses(404),
  },
});

const recurse = z.object({ recurse: lenientBoolean.optional() });

const subgraphs = createRoute({
  method: "get",
  path: "/assistants/{assistant_id}/subgraphs",
  tags,
  summary: "The schemas of the subgraphs",
  request: { params: assistantId, query: recurse },
  responses: {
    200: jsonResponse(subgraphsShape, "By namespace."),
    ...errorResponses(404, 422),
  },
});

const subgraphsOf = createRoute({
  method: "get",
  path: "/assistants/{assistant_id}/subgraphs/{namespace}",
  tags,
  summary: "The schemas of the subgraphs of one namespace",
  request: {
    params: assistantId.extend({ namespace: z.string() }),
    query: recurse,
  },
  responses: {
    200: jsonResponse(subgraphsShape, "By namespace."),
    ...errorResponses(404, 422),
  },
});

export function assistantRoutes(
  deps: Pick<AppDeps, "database" | "workers">,
): MountRoutes {
  return (app) => {
    app.openapi(search, async (c) => {
      const body = c.req.valid("json");
      const page = await listAssistants(deps, c.get("caller"), body);
      setPagination(c, page);
      return c.json(
        page.rows.map((row) => selected(row, body.select)) as never,
        200,
      );
    });
    app.openapi(count, async (c) =>
      c.json(
        await countMatching(deps, c.get("caller"), c.req.valid("json")),
        200,
      ),
    );
    app.openapi(get, async (c) => {
      const { assistant_id } = c.req.valid("param");
      return c.json(
        await readAssistant(deps, c.get("caller"), assistant_id),
        200,
      );
    });
    graphRoutes(deps)(app);
  };
}

/** What only a worker can answer, because it has the graph. */
function graphRoutes(deps: Pick<AppDeps, "database" | "workers">): MountRoutes {
  return (app) => {
    app.openapi(graph, async (c) => {
      const drawn = await drawGraph(deps, c.get("caller"), {
        ...c.req.valid("param"),
        xray: c.req.valid("query").xray ?? false,
      });
      return c.json(drawn as z.output<typeof drawableGraphShape>, 200);
    });
    app.openapi(schemas, async (c) => {
      const { assistant_id } = c.req.valid("param");
      return c.json(
        await graphSchemas(deps, c.get("caller"), assistant_id),
        200,
      );
    });
    app.openapi(subgraphs, async (c) => {
      const found = await subgraphSchemas(deps, c.get("caller"), {
        ...c.req.valid("param"),
        recurse: c.req.valid("query").recurse ?? false,
      });
      return c.json(found, 200);
    });
    app.openapi(subgraphsOf, async (c) => {
      const found = await subgraphSchemas(deps, c.get("caller"), {
        ...c.req.valid("param"),
        recurse: c.req.valid("query").recurse ?? false,
      });
      return c.json(found, 200);
    });
  };
}

function selected(
  assistant: Assistant,
  fields: readonly AssistantField[],
): Partial<Assistant> {
  if (fields.length === 0) return assistant;
  return Object.fromEntries(fields.map((name) => [name, assistant[name]]));
}
