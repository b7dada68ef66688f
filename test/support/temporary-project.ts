import {
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface TemporaryProject extends Disposable {
  root: string;
}

const NODE_MODULES = fileURLToPath(
  new URL("../../node_modules", import.meta.url),
);

/** A project with these files (path -> text) and our packages, for sources that our own tools must not see. */
export function temporaryProject(
  files: Record<string, string>,
): TemporaryProject {
  const root = mkdtempSync(join(tmpdir(), "spool-project-"));
  symlinkSync(NODE_MODULES, join(root, "node_modules"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const remove = () => rmSync(root, { recursive: true, force: true });
  return { root, [Symbol.dispose]: remove };
}
