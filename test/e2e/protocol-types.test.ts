/**
 * What the server tells, held against the types of `@langchain/protocol`: the
 * transcripts of some runs become a program, which the compiler checks.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, onTestFinished, test } from "vitest";
import {
  commanded,
  newThreadId,
  reading,
  type WireEvent,
} from "../support/protocol.ts";
import { useServer } from "../support/server.ts";

const server = useServer();
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const RUNS: [graph: string, input: unknown][] = [
  ["fan-out", { text: "a bc" }],
  ["trip", { wish: "a weekend in Porto" }],
  ["slow", { steps: 2, seconds: 0 }],
  ["failing", { item: "lamp", stock: 0 }],
  ["agent", { messages: [{ role: "user", content: "hello there" }] }],
  [
    "agent",
    { messages: [{ role: "user", content: "what is the weather in Paris?" }] },
  ],
];

/** What the types do not know and the contract has. */
function known({ method, params, ...event }: WireEvent): object {
  const { node: _, ...rest } = params;
  return { ...event, method, params: method === "updates" ? rest : params };
}

test("every event and every answer is one of the protocol's types", async () => {
  const events: WireEvent[] = [];
  const answers: unknown[] = [];
  for (const [assistant_id, input] of RUNS) {
    const threadId = newThreadId();
    const reader = await reading(server, threadId);
    const start = { assistant_id, input };
    answers.push(await commanded(server, threadId, "run.start", start));
    events.push(...(await reader.runs()));
    for (const method of [
      "state.get",
      "state.listCheckpoints",
      "agent.getTree",
    ])
      answers.push(await commanded(server, threadId, method, {}));
    reader.leave();
  }
  const methods = new Set(events.map(({ method }) => method));
  for (const method of ["lifecycle", "values", "updates", "messages", "tools"])
    expect(methods).toContain(method);
  const errors = compile(
    [
      'import type { CommandResponse, Event } from "@langchain/protocol";',
      `export const events: Event[] = ${JSON.stringify(events.map(known))};`,
      `export const answers: CommandResponse[] = ${JSON.stringify(answers)};`,
    ].join("\n"),
  );
  expect(errors).toEqual([]);
  const wrong = compile(
    [
      'import type { Event } from "@langchain/protocol";',
      'export const event: Event = { type: "event", method: "values", params: {} };',
    ].join("\n"),
  );
  expect(wrong.length).toBeGreaterThan(0);
}, 120_000);

/** What the compiler does not like about a program. */
function compile(text: string): string[] {
  // Below the project, so that it finds the package.
  const folder = mkdtempSync(join(ROOT, ".cache/protocol-types-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "transcript.ts");
  writeFileSync(file, text);
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    allowImportingTsExtensions: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
  });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) =>
      ts.flattenDiagnosticMessageText(messageText, "\n"),
    );
}
