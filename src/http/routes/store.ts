import { createRoute, z } from "@hono/zod-openapi";
import {
  storeDelete,
  storeGet,
  storeItemShape,
  storeListNamespaces,
  storePut,
  storeSearch,
} from "../../model/store-requests.ts";
import {
  deleteItem,
  getItem,
  listNamespaces,
  putItem,
  searchItems,
  type StoreDeps,
} from "../../services/store.ts";
import type { MountRoutes } from "../deps.ts";
import { errorResponses, jsonBody, jsonResponse } from "../responses.ts";

const tags = ["Store"];
const path = "/store/items";

const putOne = createRoute({
  method: "put",
  path,
  tags,
  summary: "Store an item, or replace its value",
  request: { body: jsonBody(storePut) },
  responses: {
    204: { description: "It is stored." },
    ...errorResponses(400, 404, 422),
  },
});

const getOne = createRoute({
  method: "get",
  path,
  tags,
  summary: "Get an item",
  request: { query: storeGet },
  responses: {
    200: jsonResponse(
      storeItemShape.nullable(),
      "The item; null when there is none.",
    ),
    ...errorResponses(400, 404, 422),
  },
});

const deleteOne = createRoute({
  method: "delete",
  path,
  tags,
  summary: "Delete an item",
  request: { body: jsonBody(storeDelete) },
  responses: {
    204: { description: "It is gone, or was never there." },
    ...errorResponses(400, 404, 422),
  },
});

const postSearch = createRoute({
  method: "post",
  path: `${path}/search`,
  tags,
  summary: "Find items under a namespace, those changed last first",
  request: { body: jsonBody(storeSearch) },
  responses: {
    200: jsonResponse(
      z.object({ items: z.array(storeItemShape) }),
      "One page of items.",
    ),
    ...errorResponses(422),
  },
});

const postNamespaces = createRoute({
  method: "post",
  path: "/store/namespaces",
  tags,
  summary: "List the namespaces that hold items",
  request: { body: jsonBody(storeListNamespaces) },
  responses: {
    200: jsonResponse(
      z.object({ namespaces: z.array(z.array(z.string())) }),
      "One page of namespaces, each as its labels.",
    ),
    ...errorResponses(422),
  },
});

export function storeRoutes(deps: StoreDeps): MountRoutes {
  return (app) => {
    app.openapi(putOne, async (c) => {
      await putItem(deps, c.get("caller"), c.req.valid("json"));
      return c.body(null, 204);
    });

    app.openapi(getOne, async (c) => {
      const item = await getItem(deps, c.get("caller"), c.req.valid("query"));
      return c.json(item, 200);
    });

    app.openapi(deleteOne, async (c) => {
      await deleteItem(deps, c.get("caller"), c.req.valid("json"));
      return c.body(null, 204);
    });

    app.openapi(postSearch, async (c) => {
      const search = c.req.valid("json");
      const items = await searchItems(deps, c.get("caller"), search);
      return c.json({ items }, 200);
    });

    app.openapi(postNamespaces, async (c) => {
      const query = c.req.valid("json");
      const namespaces = await listNamespaces(deps, c.get("caller"), query);
      return c.json({ namespaces }, 200);
    });
  };
}
