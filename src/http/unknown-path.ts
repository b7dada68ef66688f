import type { NotFoundHandler } from "hono";
import type { App, AppEnv } from "./deps.ts";

interface KnownPath {
  pattern: RegExp;
  methods: Set<string>;
}

/** For what no route took: 405 when the path is right and the method is not, else 404. */
export function unknownPath(app: App): NotFoundHandler<AppEnv> {
  let known: KnownPath[] | undefined;
  return (c) => {
    known ??= knownPaths(app); // not before all routes are there
    const { method, path } = c.req;
    const methods = known
      .filter(({ pattern }) => pattern.test(path))
      .flatMap((one) => [...one.methods]);
    if (methods.length === 0)
      return c.json({ detail: `Not found: ${method} ${path}` }, 404);
    c.header("Allow", allowed(methods));
    if (method === "OPTIONS") return c.body(null, 204);
    return c.json(
      {
        detail: `${method} is not allowed here; ${path} takes ${allowed(methods)}`,
      },
      405,
    );
  };
}

function allowed(methods: readonly string[]): string {
  const all = new Set(methods);
  if (all.has("GET")) all.add("HEAD");
  return [...all].sort().join(", ");
}

function knownPaths(app: App): KnownPath[] {
  const byPath = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === "ALL") continue; // middleware
    const methods = byPath.get(path) ?? new Set();
    byPath.set(path, methods.add(method));
  }
  return [...byPath].map(([path, methods]) => ({
    pattern: patternOf(path),
    methods,
  }));
}

const patternOf = (path: string): RegExp =>
  new RegExp(
    `^${path
      .split("/")
      .map((part) =>
        part.startsWith(":")
          ? "[^/]+"
          : part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"),
      )
      .join("/")}$`,
  );
