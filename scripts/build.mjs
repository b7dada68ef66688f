// Builds dist/: plain tsc, then the migrations beside the code that reads them.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

export function build() {
  rmSync(`${root}/dist`, { recursive: true, force: true });
  const tsc = `${root}/node_modules/typescript/bin/tsc`;
  const { status } = spawnSync(
    process.execPath,
    [tsc, "-p", "tsconfig.build.json"],
    { cwd: root, stdio: "inherit" },
  );
  if (status !== 0) process.exit(status ?? 1);
  cpSync(`${root}/src/storage/migrations`, `${root}/dist/storage/migrations`, {
    recursive: true,
  });
  chmodSync(`${root}/dist/cli/index.js`, 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build();
