import { basename, relative, sep } from "node:path";
import { watch } from "chokidar";

/** Folders in which nothing is the user's source. */
const IGNORED = new Set([
  "node_modules",
  ".git",
  "dist",
  "coverage",
  "__pycache__",
  ".venv",
]);

/** What programs print. Each reload prints a line: into a file of the project, it would be the next change. */
const OUTPUT = /(^|\.)(log|out|pid)$/;

/** Editors write a file in several steps, and a save touches several files. */
const SETTLE_MS = 150;

/**
 * Calls `onChange` once after each burst of changes under the project, with the
 * first file that changed, and `onError` when something cannot be watched.
 */
export function watchProject(
  params: { root: string; dataDir: string },
  onChange: (file: string) => void,
  onError: (cause: unknown) => void,
): AsyncDisposable {
  let timer: NodeJS.Timeout | null = null;
  const watcher = watch(params.root, {
    ignoreInitial: true,
    ignored: (path) => isIgnored(path, params),
  });
  watcher.on("all", (_event, path) => {
    timer ??= setTimeout(() => {
      timer = null;
      onChange(relative(params.root, path));
    }, SETTLE_MS);
  });
  // Without a listener a system that is out of watches (ENOSPC) would end the server.
  watcher.on("error", onError);
  return {
    async [Symbol.asyncDispose]() {
      if (timer !== null) clearTimeout(timer);
      await watcher.close();
    },
  };
}

function isIgnored(
  path: string,
  { root, dataDir }: { root: string; dataDir: string },
): boolean {
  if (path === root) return false;
  const name = basename(path);
  return (
    IGNORED.has(name) ||
    OUTPUT.test(name) ||
    path === dataDir ||
    path.startsWith(dataDir + sep) ||
    // Dot files are tools' own, but for the ones that configure the project.
    (name.startsWith(".") && !name.startsWith(".env"))
  );
}
