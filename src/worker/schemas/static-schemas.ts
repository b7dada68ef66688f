import type { GraphSpec } from "../../protocol/graph-frames.ts";
import type { Schemas } from "./extract-schemas.ts";
import { SchemaCache } from "./schema-cache.ts";
import type { SchemaCompiler } from "./schema-compiler.ts";

/** By namespace: `""` is the graph, `child|grandchild` a subgraph. */
export type SchemasByNamespace = Record<string, Schemas>;

export interface StaticSchemaParams {
  /** Where results outlive the process; null: nowhere. */
  cacheDirectory: string | null;
  compiler: SchemaCompiler;
}

/**
 * The schemas that the source of a graph declares: from memory, else from
 * disk, else from the compiler. Who asks while somebody waits, waits along.
 */
export class StaticSchemas {
  readonly #cacheDirectory: string | null;
  readonly #compiler: SchemaCompiler;
  /** By the spec object: a project that is loaded anew has others. */
  readonly #known = new WeakMap<GraphSpec, Promise<SchemasByNamespace>>();

  constructor(params: StaticSchemaParams) {
    this.#cacheDirectory = params.cacheDirectory;
    this.#compiler = params.compiler;
  }

  get(root: string, spec: GraphSpec): Promise<SchemasByNamespace> {
    const known = this.#known.get(spec);
    if (known !== undefined) return known;
    const found = this.#find(root, spec);
    this.#known.set(spec, found);
    found.catch(() => this.#known.delete(spec)); // the next one who asks tries again
    return found;
  }

  async #find(root: string, spec: GraphSpec): Promise<SchemasByNamespace> {
    const directory = this.#cacheDirectory;
    const cache = directory && new SchemaCache({ directory, root });
    const stored = cache ? await cache.get(spec) : null;
    if (stored !== null) return stored;
    const { file, export_name } = spec;
    const extraction = await this.#compiler.extract({ file, export_name });
    if (cache) await cache.set(spec, extraction);
    return extraction.schemas;
  }
}
