import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { useServer } from "../support/server.ts";

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

/** The `curl` calls of a README, as a reader would paste them. */
function* callsOf(readme: string): Generator<[path: string, body: unknown]> {
  const calls = /curl -s localhost:2024(\S+) .*?-d '(.*?)'/gs;
  for (const [, path = "", body = ""] of readme.matchAll(calls))
    yield [path, JSON.parse(body)];
}

describe.each([
  ["agent", { messages: [{ type: "human" }, {}, {}, { type: "ai" }] }],
  ["patterns", { total: 22 }],
])("examples/%s", (name, expected) => {
  const config = join(EXAMPLES, name, "langgraph.json");
  const server = useServer({ config, workers: 1 });

  test("serves every graph that it names", async () => {
    const { graphs } = JSON.parse(readFileSync(config, "utf8")) as {
      graphs: Record<string, unknown>;
    };
    for (const graph of Object.keys(graphs)) {
      const drawn = await server.client.assistants.getGraph(graph);
      expect(drawn.nodes.length).toBeGreaterThan(2);
    }
  });

  test("does what its README shows", async () => {
    const readme = readFileSync(join(dirname(config), "README.md"), "utf8");
    const calls = [...callsOf(readme)];
    expect(calls).toHaveLength(1);
    for (const [path, body] of calls) {
      const answer = await server.send("POST", path, body);
      expect(await answer.json()).toMatchObject(expected);
    }
  });
});
