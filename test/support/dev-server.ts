import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Running } from "../../bench/compare/contender.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface DevServer extends AsyncDisposable {
  url: string;
  /** The folder with its data, which is complete once it has stopped. */
  dataFolder: string;
  stop(): Promise<void>;
}

/** The official in-memory dev server on a copy of `project`; it is installed when it is not there yet. */
export async function startDevServer(project: string): Promise<DevServer> {
  const { status } = spawnSync(process.execPath, ["scripts/peer.mjs"], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("the dev server cannot be installed");
  const contender = await import("../../bench/compare/contender.ts");
  const folder = mkdtempSync(join(tmpdir(), "spool-dev-server-"));
  cpSync(project, folder, { recursive: true });
  symlinkSync(contender.PEER.nodeModules, join(folder, "node_modules"));
  const running: Running = await contender.Running.startIn(
    folder,
    contender.PEER,
  );
  return {
    url: running.url,
    dataFolder: join(folder, ".langgraph_api"),
    stop: () => running.stop({ keepProject: true }),
    async [Symbol.asyncDispose]() {
      await running.stop({ keepProject: true });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
