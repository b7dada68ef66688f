import type TS from "typescript";
import { ts } from "./typescript.ts";
import type { JsonObject } from "../../lib/json.ts";
import {
  hashText,
  packageDirectory,
  packageVersion,
  type Fingerprint,
} from "./fingerprint.ts";
import { findSubgraphs, sourceOf } from "./find-subgraphs.ts";
import { compiledGraphType, graphTypes } from "./graph-types.ts";
import { openProgram } from "./project-program.ts";
import {
  typeToJsonSchema,
  type ConvertContext,
} from "./type-to-json-schema.ts";

/** Null: cannot be derived. A graph in JavaScript has one schema for config and context. */
export interface Schemas {
  state: JsonObject | null;
  input: JsonObject | null;
  output: JsonObject | null;
  config: JsonObject | null;
}

export interface ExtractParams {
  /** Absolute path of the source file. */
  file: string;
  export_name: string;
}

export interface Extraction {
  /** The graph under the empty namespace, its subgraphs under `child`, `child|grandchild`. */
  schemas: Record<string, Schemas>;
  /** All that had a say, so that a later reader can tell whether it still stands. */
  fingerprint: Fingerprint;
  /** Some import led nowhere, so that a file which does not exist yet could change the result. */
  isOpenEnded: boolean;
}

/** Subgraphs of subgraphs; a graph that holds itself has no end. */
const MAX_NESTING = 8;

const NO_SCHEMAS: Schemas = {
  state: null,
  input: null,
  output: null,
  config: null,
};

/** Reads the schemas of a graph and its subgraphs from the types in its source. Blocks for as long as the compiler takes. */
export function extractSchemas(
  params: ExtractParams,
  cache: Map<string, TS.SourceFile>,
): Extraction {
  const { program, configFiles } = openProgram(params.file, cache);
  const checker = program.getTypeChecker();
  const exported = findExport(program, checker, params);
  const schemas: Record<string, Schemas> = { "": NO_SCHEMAS };
  const graph =
    exported && compiledGraphType(checker, checker.getTypeOfSymbol(exported));
  if (exported && graph) {
    schemas[""] = schemasOf({ program, checker }, graph);
    const source = sourceOf(checker, exported);
    if (source) addSubgraphs({ program, checker, schemas }, source, []);
  }
  return {
    schemas,
    fingerprint: fingerprintOf(program, configFiles),
    isOpenEnded: hasUnresolvedImports(program),
  };
}

function findExport(
  program: TS.Program,
  checker: TS.TypeChecker,
  { file, export_name }: ExtractParams,
): TS.Symbol | null {
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) return null;
  const exports = checker.getExportsOfModule(module);
  const found =
    exports.find((symbol) => symbol.name === export_name) ??
    // `module.exports = graph` is the default export of a CommonJS file.
    (export_name === "default"
      ? module.exports?.get("export=" as TS.__String)
      : undefined);
  if (found === undefined) return null;
  return found.flags & ts.SymbolFlags.Alias
    ? checker.getAliasedSymbol(found)
    : found;
}

function schemasOf(context: ConvertContext, graph: TS.Type): Schemas {
  const types = graphTypes(context.checker, graph);
  const convert = (type: TS.Type | null) =>
    type === null ? null : typeToJsonSchema(context, type);
  return {
    state: convert(types.state),
    input: convert(types.input),
    output: convert(types.output),
    config: convert(types.context),
  };
}

function addSubgraphs(
  context: ConvertContext & { schemas: Record<string, Schemas> },
  source: TS.Expression,
  path: string[],
): void {
  if (path.length >= MAX_NESTING) return;
  for (const child of findSubgraphs(context.checker, source)) {
    const childPath = [...path, child.name];
    context.schemas[childPath.join("|")] = schemasOf(context, child.type);
    addSubgraphs(context, child.source, childPath);
  }
}

function fingerprintOf(
  program: TS.Program,
  configFiles: Map<string, string | null>,
): Fingerprint {
  const files: Fingerprint["files"] = {};
  const packages: Fingerprint["packages"] = {};
  for (const { fileName, text } of program.getSourceFiles()) {
    const directory = packageDirectory(fileName);
    // What the compiler has read, not what is there by now.
    if (directory === null) files[fileName] = hashText(text);
    else packages[directory] ??= packageVersion(directory);
  }
  for (const [name, text] of configFiles)
    files[name] = text === null ? null : hashText(text);
  return { files, packages };
}

/** Only of the project's own files; what packages miss among themselves does not come later. */
function hasUnresolvedImports(program: TS.Program): boolean {
  return program
    .getSourceFiles()
    .filter((file) => !file.fileName.includes("/node_modules/"))
    .some((file) =>
      importsOf(file).some((name) => isMissing(program, file, name)),
    );
}

const importsOf = (file: TS.SourceFile): TS.StringLiteralLike[] =>
  (file as TS.SourceFile & { imports?: TS.StringLiteralLike[] }).imports ?? [];

function isMissing(
  program: TS.Program,
  file: TS.SourceFile,
  name: TS.StringLiteralLike,
): boolean {
  return (
    ts.resolveModuleName(
      name.text,
      file.fileName,
      program.getCompilerOptions(),
      ts.sys,
      undefined,
      undefined,
      ts.getModeForUsageLocation(file, name, program.getCompilerOptions()),
    ).resolvedModule === undefined && !name.text.startsWith("node:")
  );
}
