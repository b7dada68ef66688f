import { dirname } from "node:path";
import type TS from "typescript";
import { ts } from "./typescript.ts";

export interface ProjectProgram {
  program: TS.Program;
  /** The tsconfig.json and what it extends by absolute path; null: looked for, and not there. */
  configFiles: Map<string, string | null>;
}

/** What a project without a tsconfig.json gets: the settings of a current Node project. */
const DEFAULTS: TS.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
};

/** We only ask for types: nothing is written, nothing is reported. */
const OVERRIDES: TS.CompilerOptions = {
  noEmit: true,
  composite: false,
  incremental: false,
  declaration: false,
  allowJs: true,
  checkJs: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  skipDefaultLibCheck: true,
};

/** The program of one file and all that it imports. `cache` holds parsed files from one call to the next. */
export function openProgram(
  file: string,
  cache: Map<string, TS.SourceFile>,
): ProjectProgram {
  const config = readConfig(file);
  const options = resolvable({ ...config.options, ...OVERRIDES });
  const host = ts.createCompilerHost(options, true);
  const settings = JSON.stringify(options); // they decide how a file is read
  const parse = host.getSourceFile.bind(host);
  host.getSourceFile = (name, target, ...rest) => {
    // Packages do not change while a worker lives; the user's files may.
    if (!name.includes("/node_modules/")) return parse(name, target, ...rest);
    const key = `${name} ${settings}`;
    const source =
      cache.get(key) ?? parse(name, withoutComments(target), ...rest);
    if (source !== undefined) cache.set(key, source);
    return source;
  };
  const rootNames = [file, ...config.declarations];
  return {
    program: ts.createProgram({ rootNames, options, host }),
    configFiles: config.files,
  };
}

/** The comments of packages are half of their text, and nobody reads them here. */
const withoutComments = (
  target: TS.ScriptTarget | TS.CreateSourceFileOptions,
): TS.CreateSourceFileOptions => ({
  ...(typeof target === "object" ? target : { languageVersion: target }),
  jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
});

interface Config {
  options: TS.CompilerOptions;
  /** The project's `.d.ts` files, which declare what is global. */
  declarations: string[];
  files: Map<string, string | null>;
}

function readConfig(file: string): Config {
  const files = new Map<string, string | null>();
  const path = ts.findConfigFile(dirname(file), (name) => {
    const exists = ts.sys.fileExists(name);
    if (!exists) files.set(name, null);
    return exists;
  });
  if (path === undefined) return { options: DEFAULTS, declarations: [], files };
  const host: TS.ParseConfigHost = {
    ...ts.sys,
    readFile: (name) => {
      const text = ts.sys.readFile(name);
      files.set(name, text ?? null);
      return text;
    },
    // The graph's own imports say which of the other files matter.
    readDirectory: (root, _extensions, ...rest) =>
      ts.sys.readDirectory(root, [".d.ts", ".d.mts", ".d.cts"], ...rest),
  };
  const { config } = ts.readConfigFile(path, host.readFile) as {
    config?: unknown;
  };
  const parsed = ts.parseJsonConfigFileContent(
    config ?? {},
    host,
    dirname(path),
    undefined,
    path,
  );
  const declarations = parsed.fileNames.filter((name) =>
    /\.d\.[cm]?ts$/.test(name),
  );
  return { options: parsed.options, declarations, files };
}

/** The older ways to resolve modules do not know `exports` of a package.json, on which the packages of LangGraph rely. */
function resolvable(options: TS.CompilerOptions): TS.CompilerOptions {
  const usable = [
    ts.ModuleResolutionKind.Node16,
    ts.ModuleResolutionKind.NodeNext,
    ts.ModuleResolutionKind.Bundler,
  ];
  const implied = [
    ts.ModuleKind.Node16,
    ts.ModuleKind.Node18,
    ts.ModuleKind.Node20,
    ts.ModuleKind.NodeNext,
    ts.ModuleKind.Preserve,
  ];
  const { moduleResolution, module } = options;
  const isUsable =
    moduleResolution === undefined
      ? module !== undefined && implied.includes(module)
      : usable.includes(moduleResolution);
  if (isUsable) return options;
  return {
    ...options,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
}
