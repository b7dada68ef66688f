import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { watchProject } from "../../src/workers/watch.ts";
import { waitFor } from "../support/wait.ts";

/** The changes that were seen while these files were written, the first one first, until the last one was seen. */
async function changesSeen(names: [...string[], string]): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), "spool-watch-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const seen: string[] = [];
  await using _ = watchProject(
    { root, dataDir: join(root, ".spool") },
    (file) => seen.push(file),
    (cause) => seen.push(String(cause)),
  );
  // Again and again: until the watcher is ready it sees nothing. Of a burst it names the first.
  let text = 0;
  await waitFor("a change is seen", () => {
    for (const name of names) writeFileSync(join(root, name), String(text++));
    return seen.length > 0;
  });
  return seen;
}

// Each reload prints a line; in a file of the project it would be the next change, and so on for ever.
test.each(["nohup.out", "server.log", "log", "server.pid"])(
  "%s, into which the server may print, is no change of the project",
  async (name) => {
    expect(await changesSeen([name, "agent.ts"])).toEqual(["agent.ts"]);
  },
);
