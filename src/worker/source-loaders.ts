import { readFileSync } from "node:fs";
import { createRequire, Module, register } from "node:module";
import { extname } from "node:path";
import { compileSource } from "./typescript-source.ts";

/*
 * Lets this process import the files of a project: TypeScript of every kind,
 * JSX, `paths` of tsconfig.json in the working directory, with source maps.
 * oxc does nearly all of it; `typescript-hooks.ts` does the rest.
 */

let registered: Promise<void> | undefined;

/** The hooks are a property of the process, so once is enough. */
export const registerSourceLoaders = (): Promise<void> =>
  (registered ??= registerAll());

async function registerAll(): Promise<void> {
  // @ts-expect-error it has no declarations: it is run, not used
  await import("@oxc-node/core/register");
  // After oxc, so that these are asked first.
  const hooks = `./typescript-hooks${extname(import.meta.url)}`;
  register(hooks, import.meta.url);
  compileRequiredCts();
}

interface CompilableModule {
  _compile(source: string, file: string): void;
}

/** `require()` does not go through the hooks of `register()`. */
function compileRequiredCts(): void {
  const { _extensions } = Module as unknown as {
    _extensions: Record<
      string,
      (module: CompilableModule, file: string) => void
    >;
  };
  _extensions[".cts"] = (module, file) => {
    const typescript = createRequire(import.meta.url)("typescript");
    const text = readFileSync(file, "utf8");
    const options = { file, format: "commonjs" } as const;
    module._compile(compileSource(typescript, text, options), file);
  };
}
