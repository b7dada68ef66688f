import { existsSync } from "node:fs";
import { extname, resolve } from "node:path";
import { isObject } from "../lib/json.ts";
import type { GraphSpec } from "../protocol/graph-frames.ts";
import { ConfigError } from "./config-error.ts";

const EXTENSIONS = [".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs"];

/** The `graphs` of langgraph.json; paths are relative to `root`. `shown` is how messages call the file. */
export function toGraphSpecs(
  graphs: unknown,
  { root, shown }: { root: string; shown: string },
): GraphSpec[] {
  if (graphs !== undefined && !isObject(graphs))
    throw new ConfigError(
      `${shown}: graphs must be an object like {"agent": "./src/agent.ts:graph"}`,
    );
  const entries = Object.entries(graphs ?? {});
  if (entries.length === 0)
    throw new ConfigError(
      `${shown}: no graphs; add at least one, like "graphs": {"agent": "./src/agent.ts:graph"}`,
    );
  return entries.map(([graph_id, entry]) =>
    toGraphSpec(graph_id, entry, { root, key: `${shown}: graphs.${graph_id}` }),
  );
}

function toGraphSpec(
  graph_id: string,
  entry: unknown,
  { root, key }: { root: string; key: string },
): GraphSpec {
  const { path, description } = toEntry(entry, key);
  return { graph_id, ...toExport(path, { root, key }), description };
}

/** `path:export`, relative to `root`. */
export function toExport(
  path: string,
  { root, key }: { root: string; key: string },
): { file: string; export_name: string } {
  const colon = path.lastIndexOf(":");
  if (colon < 1)
    throw new ConfigError(
      `${key} is ${JSON.stringify(path)}; it needs the exported name after a colon, like "./src/agent.ts:graph"`,
    );
  const file = resolve(root, path.slice(0, colon));
  requireModule(file, key);
  return { file, export_name: path.slice(colon + 1).trim() || "default" };
}

function toEntry(
  entry: unknown,
  key: string,
): { path: string; description: string | null } {
  if (typeof entry === "string") return { path: entry, description: null };
  if (!isObject(entry) || typeof entry["path"] !== "string")
    throw new ConfigError(
      `${key} must be "path:export" or {"path": "path:export", "description": "…"}`,
    );
  const { path, description } = entry;
  return {
    path,
    description: typeof description === "string" ? description : null,
  };
}

function requireModule(file: string, key: string): void {
  const extension = extname(file);
  if (extension === ".py")
    throw new ConfigError(
      `${key} names a Python file; Spool runs JavaScript and TypeScript graphs (${EXTENSIONS.join(" ")})`,
    );
  if (!existsSync(file))
    throw new ConfigError(
      `${key}: there is no file ${file}; paths are relative to langgraph.json`,
    );
  if (!EXTENSIONS.includes(extension))
    throw new ConfigError(
      `${key} names a file that is not a module; it must end in one of ${EXTENSIONS.join(" ")}`,
    );
}
