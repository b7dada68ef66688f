import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ANONYMOUS, type Caller } from "../../src/auth/caller.ts";
import {
  assistantCreate,
  assistantPatch,
  assistantSearch,
} from "../../src/model/assistant-requests.ts";
import {
  systemAssistantId,
  type Assistant,
} from "../../src/model/assistant.ts";
import {
  changeAssistant,
  createAssistant,
} from "../../src/services/assistant-changes.ts";
import { deleteAssistant } from "../../src/services/assistant-delete.ts";
import {
  countMatching,
  listAssistants,
  readAssistant,
  requireAssistant,
} from "../../src/services/assistants.ts";
import { registerGraphs } from "../../src/services/system-assistants.ts";
import { EventLog } from "../../src/stream/event-log.ts";
import type { Workers } from "../../src/workers/port.ts";
import {
  drivers,
  openTestDatabase,
  type TestDatabase,
} from "../support/databases.ts";

/** Nothing here asks a graph anything; its being there is all that counts. */
const workers: Workers = {
  ask: () => Promise.reject(new Error("no worker is to be asked")),
  graphs: () => [{ graph_id: "agent", state: "loading" }],
};

describe.each(drivers())("assistants on $name", (driver) => {
  let db: TestDatabase;
  let deps: { database: TestDatabase["database"]; workers: Workers };
  let hers: Assistant;
  const ada: Caller = { access: { owner: "ada" } };
  const bob: Caller = { access: { owner: "bob" } };

  const create = (caller: Caller, input: object) =>
    createAssistant(
      deps,
      caller,
      assistantCreate.parse({ graph_id: "agent", ...input }),
    );

  beforeAll(async () => {
    db = await openTestDatabase(driver);
    deps = { database: db.database, workers };
    await registerGraphs(deps, [{ graph_id: "agent", description: null }], {});
    hers = await create(ada, { metadata: { owner: "ada" } });
  });
  afterAll(() => db.close());

  test("whoever may not see one neither finds, counts, changes nor deletes it", async () => {
    const { assistant_id } = hers;
    const log = pino({ level: "silent" });
    const events = new EventLog({ database: db.database, log });
    const hidden = { code: "not_found", message: "Assistant not found" };
    const page = await listAssistants(deps, bob, assistantSearch.parse({}));
    const patch = assistantPatch.parse({ name: "mine now" });
    expect(page).toEqual({ rows: [], total: 0, next: null });
    expect(await countMatching(deps, bob, {})).toBe(0);
    await expect(readAssistant(deps, bob, assistant_id)).rejects.toMatchObject(
      hidden,
    );
    await expect(
      changeAssistant(deps, bob, { assistant_id, patch }),
    ).rejects.toMatchObject(hidden);
    await expect(
      deleteAssistant({ ...deps, events }, bob, {
        assistant_id,
        delete_threads: false,
      }),
    ).rejects.toMatchObject(hidden);
    expect(await readAssistant(deps, ada, assistant_id)).toEqual(hers);
  });

  test.each(["raise", "do_nothing"])(
    "an id that somebody else has is a conflict with if_exists %s, and shows nothing",
    async (if_exists) => {
      const { assistant_id } = hers;
      await expect(
        create(bob, { assistant_id, if_exists }),
      ).rejects.toMatchObject({
        code: "conflict",
        message: "Assistant already exists",
      });
    },
  );

  test("everybody may run the assistants of graphs, by either name, and nobody else's", async () => {
    const id = systemAssistantId("agent");
    for (const name of ["agent", id, id.toUpperCase()])
      expect((await requireAssistant(deps, bob, name)).assistant_id).toBe(id);
    await expect(
      requireAssistant(deps, bob, hers.assistant_id),
    ).rejects.toMatchObject({
      code: "not_found",
      message: expect.stringContaining(
        `No assistant found for "${hers.assistant_id}"`,
      ),
    });
  });

  test("metadata that claims to be of the server makes no assistant everybody's", async () => {
    const made = await create(ada, {
      metadata: { owner: "ada", created_by: "system" },
    });
    await expect(
      requireAssistant(deps, bob, made.assistant_id),
    ).rejects.toMatchObject({ code: "not_found" });
  });

  test("changes that come together get a version each", async () => {
    const { assistant_id } = await create(ANONYMOUS, {});
    const patches = Array.from({ length: 20 }, (_, index) =>
      changeAssistant(deps, ANONYMOUS, {
        assistant_id,
        patch: assistantPatch.parse({ metadata: { [`k${index}`]: index } }),
      }),
    );
    const versions = (await Promise.all(patches)).map(({ version }) => version);
    const last = await readAssistant(deps, ANONYMOUS, assistant_id);
    expect(new Set(versions).size).toBe(20);
    expect(last.version).toBe(21);
    expect(Object.keys(last.metadata)).toHaveLength(20);
  });
});
