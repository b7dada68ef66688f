import { readFile } from "node:fs/promises";
import type { LoadFnOutput, LoadHook } from "node:module";
import { fileURLToPath } from "node:url";
import { compileSource } from "./typescript-source.ts";

/*
 * Runs on the thread of the module hooks, before oxc is asked: what oxc cannot
 * compile goes through TypeScript itself, which is loaded only then.
 */

export const load: LoadHook = async (url, context, nextLoad) => {
  if (isCts(url)) return compiled(url, "commonjs");
  try {
    return await nextLoad(url, context);
  } catch (cause) {
    if (!needsStandardDecorators(cause)) throw cause;
    return compiled(url, "module");
  }
};

/** TypeScript wants a `.cts` in the syntax of ES modules; oxc refuses just that. */
const isCts = (url: string): boolean =>
  url.startsWith("file:") && new URL(url).pathname.endsWith(".cts");

const needsStandardDecorators = (cause: unknown): boolean =>
  cause instanceof Error &&
  cause.message.includes("standard (TC39) decorators");

async function compiled(
  url: string,
  format: "commonjs" | "module",
): Promise<LoadFnOutput> {
  const { default: typescript } = await import("typescript");
  const file = fileURLToPath(url);
  const text = await readFile(file, "utf8");
  const source = compileSource(typescript, text, { file, format });
  return { format, source, shortCircuit: true };
}
