import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { waitFor } from "./wait.ts";
import { freePort } from "./free-port.ts";

const CONFIG = fileURLToPath(
  new URL("../../deploy/nginx.conf", import.meta.url),
);

export const hasNginx = (): boolean =>
  spawnSync("nginx", ["-v"], { stdio: "ignore" }).status === 0;

export interface Nginx extends AsyncDisposable {
  url: string;
}

/** The real nginx with deploy/nginx.conf, in which only addresses and places of files are other ones. */
export async function startNginx(instances: readonly string[]): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), "spool-nginx-"));
  const port = await freePort();
  let next = 0;
  const text = readFileSync(CONFIG, "utf8")
    .replaceAll(/server spool-\d+:2024/g, () => {
      const { host } = new URL(instances[next] ?? "");
      next += 1;
      return `server ${host}`;
    })
    .replaceAll("/tmp/", `${folder}/`)
    .replace("worker_processes auto", "worker_processes 1")
    .replace("listen 8080", `listen 127.0.0.1:${port}`);
  if (next !== instances.length)
    throw new Error(`deploy/nginx.conf has ${next} instances`);
  const config = join(folder, "nginx.conf");
  writeFileSync(config, text);
  const child = spawn(
    "nginx",
    ["-c", config, "-e", join(folder, "error.log"), "-g", "daemon off;"],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += chunk));
  const url = `http://127.0.0.1:${port}`;
  const ended = new AbortController();
  child.once("exit", () => ended.abort(new Error(`nginx ended: ${errors}`)));
  await waitFor("nginx answers", async () => (await fetch(`${url}/ok`)).ok, {
    signal: ended.signal,
  });
  return {
    url,
    async [Symbol.asyncDispose]() {
      const gone = once(child, "exit");
      child.kill("SIGTERM");
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
