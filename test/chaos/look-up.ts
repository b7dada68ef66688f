import { isDeepStrictEqual } from "node:util";
import type { JsonObject } from "../../src/lib/json.ts";
import type { OpenOperation } from "../support/ledger-model.ts";
import { Contradiction, type Chronicle } from "./chronicle.ts";
import { CLIENT_ITEMS } from "./load-requests.ts";
import type { WhatIsThere } from "./what-is-there.ts";

type Outcome = { happened: boolean; thread?: string; run_id?: string };

/**
 * Operations that were not answered before the kill may have happened or not.
 * Finds out which, and writes it down; whether it happened wholly is for the
 * check of the thread to say.
 */
export async function lookUpUnanswered(
  chronicle: Chronicle,
  there: WhatIsThere,
  /** Of one client only. */
  who: string | null = null,
): Promise<void> {
  for (const asked of [...chronicle.model.open.values()]) {
    const { op, client } = asked;
    if (who !== null && client !== who) continue;
    const outcome = await outcomeOf(asked, chronicle, there);
    chronicle.record({ op, client, says: "found", ...outcome });
  }
}

async function outcomeOf(
  asked: OpenOperation,
  { model }: Chronicle,
  there: WhatIsThere,
): Promise<Outcome> {
  const { operation, op, client, line } = asked;
  switch (operation.kind) {
    case "create":
      return { happened: (await there.metadata(operation.thread)) !== null };
    case "delete":
      return { happened: (await there.metadata(operation.thread)) === null };
    case "update": {
      const log = await there.log(operation.thread);
      return { happened: log.at(-1) === operation.entry };
    }
    case "patch": {
      const metadata = await there.metadata(operation.thread);
      return { happened: contains(metadata, operation.metadata) };
    }
    case "run": {
      const runs = await there.runs(operation.thread);
      const run = runs.find((one) => one.op === op);
      return run === undefined
        ? { happened: false }
        : { happened: true, run_id: run.run_id };
    }
    case "copy": {
      const ids = [...(await there.threadIds({ chaos: client }))];
      const [thread, ...more] = ids.filter((id) => !model.threads.has(id));
      if (more.length > 0)
        throw new Contradiction(
          model,
          line,
          `one copy was asked for, and ${thread}, ${more.join()} are there`,
        );
      return thread === undefined
        ? { happened: false }
        : { happened: true, thread };
    }
    case "put":
    case "remove": {
      const value = (await there.items(CLIENT_ITEMS)).get(operation.key);
      const wanted = operation.kind === "put" ? operation.value : undefined;
      return { happened: isDeepStrictEqual(value, wanted) };
    }
  }
}

const contains = (metadata: JsonObject | null, patch: JsonObject): boolean =>
  Object.entries(patch).every(([key, value]) => metadata?.[key] === value);
