import { createRoute, z } from "@hono/zod-openapi";
import {
  lenientBoolean,
  MAX_PAGE,
  queryList,
  uuid,
} from "../../model/fields.ts";
import {
  threadHistoryRead,
  threadStateRead,
  threadStateUpdate,
} from "../../model/thread-state-requests.ts";
import { selectState, stateField } from "../../model/thread-state-select.ts";
import {
  stateUpdateShape,
  threadStateShape,
} from "../../model/thread-state-shape.ts";
import { StateCache } from "../../services/state-cache.ts";
import { getHistory } from "../../services/state-history.ts";
import { updateState } from "../../services/state-update.ts";
import { getState } from "../../services/state.ts";
import type { AppDeps, MountRoutes } from "../deps.ts";
import { integerParameter, pathId } from "../query.ts";
import { errorResponses, jsonResponse } from "../responses.ts";

const tags = ["Thread State"];
const threadId = pathId("thread_id");
const select = queryList(stateField).optional();
const stateQuery = z.object({ subgraphs: lenientBoolean.optional(), select });

const body = <Schema extends z.ZodType>(schema: Schema) => ({
  content: { "application/json": { schema } },
  required: true,
});

const stateResponses = {
  200: jsonResponse(threadStateShape, "The state; with `select` a part of it."),
  ...errorResponses(404, 422),
};

const historyResponses = {
  200: jsonResponse(z.array(threadStateShape), "States, the newest first."),
  ...errorResponses(404, 422),
};

const getNewest = createRoute({
  method: "get",
  path: "/threads/{thread_id}/state",
  tags,
  summary: "The newest state of a thread",
  request: { params: threadId, query: stateQuery },
  responses: stateResponses,
});

const getAt = createRoute({
  method: "get",
  path: "/threads/{thread_id}/state/{checkpoint_id}",
  tags,
  summary: "The state of a thread at a checkpoint",
  request: {
    params: pathId("thread_id", "checkpoint_id"),
    query: stateQuery,
  },
  responses: stateResponses,
});

const postAt = createRoute({
  method: "post",
  path: "/threads/{thread_id}/state/checkpoint",
  tags,
  summary: "The state of a thread, or of a subgraph of it, at a checkpoint",
  request: { params: threadId, body: body(threadStateRead) },
  responses: stateResponses,
});

const postUpdate = createRoute({
  method: "post",
  path: "/threads/{thread_id}/state",
  tags,
  summary: "Update the state of a thread",
  request: { params: threadId, body: body(threadStateUpdate) },
  responses: {
    200: jsonResponse(stateUpdateShape, "The checkpoint that the update made."),
    ...errorResponses(400, 404, 409, 422),
  },
});

const DEFAULT_HISTORY = 10;

const getStates = createRoute({
  method: "get",
  path: "/threads/{thread_id}/history",
  tags,
  summary: "The states that a thread went through",
  request: {
    params: threadId,
    query: z.object({
      limit: integerParameter({
        min: 1,
        max: MAX_PAGE,
        default: DEFAULT_HISTORY,
      }),
      before: uuid.optional(),
    }),
  },
  responses: historyResponses,
});

const postStates = createRoute({
  method: "post",
  path: "/threads/{thread_id}/history",
  tags,
  summary: "The states that a thread, or a subgraph of it, went through",
  request: { params: threadId, body: body(threadHistoryRead) },
  responses: historyResponses,
});

export function threadStateRoutes(
  deps: Pick<AppDeps, "database" | "workers">,
): MountRoutes {
  const { database, workers } = deps;
  const stateDeps = { database, workers, states: new StateCache() };

  return (app) => {
    app.openapi(getNewest, async (c) => {
      const { thread_id } = c.req.valid("param");
      const { subgraphs = false, select = [] } = c.req.valid("query");
      const question = { thread_id, subgraphs };
      const state = await getState(stateDeps, c.get("caller"), question);
      return c.json(selectState(state, select) as never, 200);
    });

    app.openapi(getAt, async (c) => {
      const { thread_id, checkpoint_id } = c.req.valid("param");
      const { subgraphs = false, select = [] } = c.req.valid("query");
      const question = { thread_id, checkpoint: { checkpoint_id }, subgraphs };
      const state = await getState(stateDeps, c.get("caller"), question);
      return c.json(selectState(state, select) as never, 200);
    });

    app.openapi(postAt, async (c) => {
      const { thread_id } = c.req.valid("param");
      const { select, ...asked } = c.req.valid("json");
      const question = { thread_id, ...asked };
      const state = await getState(stateDeps, c.get("caller"), question);
      return c.json(selectState(state, select) as never, 200);
    });

    app.openapi(postUpdate, async (c) => {
      const { thread_id } = c.req.valid("param");
      const update = c.req.valid("json");
      const checkpoint = await updateState(
        deps,
        c.get("caller"),
        thread_id,
        update,
      );
      const { checkpoint_id } = checkpoint;
      // Clients of different ages look for the checkpoint in different places.
      return c.json(
        { checkpoint, configurable: checkpoint, checkpoint_id } as never,
        200,
      );
    });

    app.openapi(getStates, async (c) => {
      const { thread_id } = c.req.valid("param");
      const question = { thread_id, ...c.req.valid("query") };
      const states = await getHistory(stateDeps, c.get("caller"), question);
      return c.json(states as never, 200);
    });

    app.openapi(postStates, async (c) => {
      const { thread_id } = c.req.valid("param");
      const { select, ...asked } = c.req.valid("json");
      const question = { thread_id, ...asked };
      const states = await getHistory(stateDeps, c.get("caller"), question);
      return c.json(
        states.map((one) => selectState(one, select)) as never,
        200,
      );
    });
  };
}
