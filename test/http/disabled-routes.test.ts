import { expect, test } from "vitest";
import type { RouteGroup } from "../../src/model/route-groups.ts";
import { openTestApp } from "../support/apps.ts";
import { NOBODY } from "../support/sdk.ts";

/** One route of each file that is part of the group, and whether it can be told from an unknown path. */
const ROUTES: Record<RouteGroup, [method: string, path: string][]> = {
  assistants: [
    ["POST", "/assistants/search"],
    ["POST", "/assistants"],
  ],
  threads: [
    ["POST", "/threads"],
    ["POST", `/threads/${NOBODY}/state`],
    ["GET", `/threads/${NOBODY}/stream`],
  ],
  runs: [
    ["POST", "/runs"],
    ["POST", "/runs/batch"],
    ["POST", `/threads/${NOBODY}/runs`],
    ["GET", `/threads/${NOBODY}/runs/${NOBODY}/join`],
  ],
  store: [["PUT", "/store/items"]],
  meta: [
    ["GET", "/"],
    ["GET", "/info"],
    ["GET", "/metrics"],
    ["GET", "/docs"],
    ["GET", "/openapi.json"],
  ],
};

const GROUPS = Object.keys(ROUTES) as RouteGroup[];

test.each(GROUPS)("%s can be turned off, and the rest stays", async (group) => {
  const { app, close } = await openTestApp({
    http: { disabledRoutes: [group] },
  });
  try {
    for (const other of GROUPS)
      for (const [method, path] of ROUTES[other]) {
        const answer = await app.request(path, { method });
        const text = await answer.text();
        const isUnknown =
          answer.status === 404 && text.includes(`Not found: ${method}`);
        expect([method, path, isUnknown, text.slice(0, 80)]).toEqual([
          method,
          path,
          other === group,
          expect.anything(),
        ]);
      }
    expect((await app.request("/ok?check_db=1")).status).toBe(200);
  } finally {
    await close();
  }
});

test("without meta the health check asks no database", async () => {
  const { app, database, close } = await openTestApp({
    http: { disabledRoutes: ["meta"] },
  });
  await database.close();
  const answer = await app.request("/ok?check_db=1");
  expect([answer.status, await answer.json()]).toEqual([200, { ok: true }]);
  await close();
});
