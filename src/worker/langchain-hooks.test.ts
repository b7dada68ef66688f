import type { ResolveHookContext } from "node:module";
import { beforeAll, describe, expect, it } from "vitest";
import { initialize, resolve } from "./langchain-hooks.ts";

const OURS = "file:///spool/dist/";
const PROJECT = "file:///project/langgraph.json";

/** Which packages can be seen from where. */
const VISIBLE: Record<string, string[]> = {
  [PROJECT]: ["@langchain/langgraph"],
  "@langchain/langgraph of file:///project/langgraph.json": [
    "@langchain/langgraph-checkpoint",
  ],
};

const ask = async (specifier: string, parentURL: string) => {
  const context: ResolveHookContext = {
    conditions: [],
    importAttributes: {},
    importAssertions: {},
    parentURL,
  };
  const next = async (name: string, given?: Partial<ResolveHookContext>) => {
    const from = given?.parentURL ?? parentURL;
    const isSeen = from.startsWith(OURS) || VISIBLE[from]?.includes(name);
    if (!isSeen) throw new Error(`no ${name} for ${from}`);
    return { url: `${name} of ${from}` };
  };
  return (await resolve(specifier, context, next)).url;
};

beforeAll(async () => initialize({ ours: OURS, importers: [PROJECT] }));

describe("the resolve hook", () => {
  const ours = `${OURS}worker/run.js`;

  it("takes LangChain from the project when we import it", async () => {
    expect(await ask("@langchain/langgraph", ours)).toBe(
      `@langchain/langgraph of ${PROJECT}`,
    );
  });

  it("takes what only the project's LangGraph can see from there", async () => {
    expect(await ask("@langchain/langgraph-checkpoint", ours)).toBe(
      `@langchain/langgraph-checkpoint of @langchain/langgraph of ${PROJECT}`,
    );
  });

  it("takes our own copy of what the project does not have", async () => {
    expect(await ask("@langchain/core/messages", ours)).toBe(
      `@langchain/core/messages of ${ours}`,
    );
  });

  it("leaves everybody else's imports alone, and our other ones", async () => {
    await expect(
      ask("@langchain/core", "file:///project/agent.ts"),
    ).rejects.toThrow("no @langchain/core");
    expect(await ask("msgpackr", ours)).toBe(`msgpackr of ${ours}`);
  });
});
