/**
 * Every snippet of every guide, as printed, against the built server. With
 * `DOCS_UPDATE=1` the outputs on the pages are replaced by what came.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { Printed } from "../support/printed.ts";
import { pythonEnvironment } from "../support/python-environment.ts";
import { useServer } from "../support/server.ts";
import { makeProject, runSession } from "../support/snippet-session.ts";
import {
  guidePages,
  readPage,
  ROOT,
  SESSIONS,
  withOutputs,
  type Output,
  type Page,
  type Session,
} from "../support/snippets.ts";

// A page is one test, and a loaded machine is slow to start three languages.
vi.setConfig({ testTimeout: 90_000 });

const isUpdate = process.env["DOCS_UPDATE"] === "1";
const DEFAULT_EXAMPLE = "examples/agent";

const canRun = (program: string): boolean =>
  spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;

const REQUIREMENTS = join(ROOT, "test/e2e/clients/python/requirements.txt");
/** Packages that cannot be installed are a failure, but of the Python snippets only. */
const python = await pythonEnvironment(REQUIREMENTS).catch(
  (failure: unknown) => ({ failure }),
);
if ("missing" in python)
  process.stderr.write(`Python snippets are skipped: ${python.missing}\n`);

function pythonProgram(): string {
  if ("failure" in python) throw python.failure;
  return "program" in python ? python.program : "";
}

const CAN_RUN: Record<Session, boolean> = {
  sh: canRun("bash") && canRun("curl"),
  js: true,
  python: !("missing" in python),
};

/** Projects of pages. Made before it is known which tests run, so they are the file's to remove. */
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders)
    rmSync(folder, { recursive: true, force: true });
});

const pages = guidePages()
  .map(readPage)
  .filter(({ snippets }) => snippets.length > 0);

for (const page of pages)
  describe(`${page.page}`, () => {
    testPage(page);
  });

function testPage(page: Page): void {
  const config = projectOf(page);
  const updates = new Map<Output, string>();
  for (const session of SESSIONS) {
    const snippets = page.snippets.filter((one) => one.session === session);
    if (snippets.length === 0) continue;
    describe.skipIf(!CAN_RUN[session])(`in ${session}`, () => {
      // Of its own, so that lists hold what this session made and nothing else.
      const server = useServer({ config, workers: 1 });
      test("runs as printed, and prints what the page says", async () => {
        const { url } = server;
        const outputs = await runSession({
          ...{ session, snippets, url },
          python: session === "python" ? pythonProgram() : "",
        });
        const printed = new Printed();
        const differences = snippets.flatMap(({ output, line }, index) => {
          if (output === null) return [];
          const came = outputs[index] ?? "";
          if (isUpdate && !updates.has(output))
            updates.set(output, laidOut(output, came));
          return printed
            .differences(output.format, output.text, came)
            .map((difference) => `${name(page, line)}: ${difference}`);
        });
        if (!isUpdate) expect(differences).toEqual([]);
      });
    });
  }
  afterAll(() => {
    if (updates.size === 0) return;
    const path = join(ROOT, page.page);
    writeFileSync(path, withOutputs(readFileSync(path, "utf8"), updates));
  });
}

const name = (page: Page, line: number): string => `${page.page}:${line}`;

/** The langgraph.json that the page has its reader make, or the one of an example of this repository. */
function projectOf({ files, example }: Page): string {
  if (files.length === 0)
    return join(ROOT, example ?? DEFAULT_EXAMPLE, "langgraph.json");
  const folder = makeProject(files);
  folders.push(folder);
  return join(folder, "langgraph.json");
}

const laidOut = ({ format }: Output, came: string): string =>
  format === "json" ? JSON.stringify(JSON.parse(came), null, 2) : came.trim();
