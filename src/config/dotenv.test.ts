import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readProjectVariables } from "./dotenv.ts";
import type { EnvSource } from "./langgraph-json.ts";

const root = mkdtempSync(join(tmpdir(), "spool-dotenv-"));
afterAll(() => rmSync(root, { recursive: true }));

test("a file is read as dotenv", () => {
  const path = join(root, ".env");
  writeFileSync(path, '# keys\nA=1\nexport B="two words"\n\nC=\n');
  const read = readProjectVariables(
    { kind: "file", path },
    { env: {}, mode: "dev" },
  );
  expect(read).toEqual({
    variables: { A: "1", B: "two words", C: "" },
    warnings: [],
  });
});

test("a missing file is a warning in dev and an error in start", () => {
  const source = { kind: "file", path: join(root, "gone") } as const;
  const { warnings } = readProjectVariables(source, { env: {}, mode: "dev" });
  expect(warnings).toEqual([expect.stringMatching(/gone.*does not exist/)]);
  expect(() =>
    readProjectVariables(source, { env: {}, mode: "start" }),
  ).toThrow(/gone.*does not exist; create it/);
});

test("a list of names asks the environment for them", () => {
  const source: EnvSource = { kind: "required", names: ["A", "B", "C"] };
  expect(() =>
    readProjectVariables(source, { env: { A: "1", B: "" }, mode: "dev" }),
  ).toThrow(/asks for B, C/);
});
