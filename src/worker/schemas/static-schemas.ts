import type { GraphSpec } from "../../protocol/graph-frames.ts";
import type { Schemas } from "./extract-schemas.ts";
import { SchemaCache } from "./schema-cache.ts";
import { SchemaCompiler } from "./schema-compiler.ts";

/** By namespace: `""` is the graph, `child|grandchild` a subgraph. */
export type SchemasByNamespace = Record<string, Schemas>;

export interface StaticSchemaOptions {
  /** Where results outlive the process; null: nowhere. */
  cacheDirectory: string | null;
  timeoutMs: number;
}

/**
 * The schemas that the source of a graph declares: from memory, else from
 * disk, else from the compiler. Who asks while somebody waits, waits along.
 */
export class StaticSchemas {
  readonly #options: StaticSchemaOptions;
  readonly #compiler: SchemaCompiler;
  /** By the spec object: a project that is loaded anew has others. */
  readonly #known = new WeakMap<GraphSpec, Promise<SchemasByNamespace>>();

  constructor(options: StaticSchemaOptions) {
    this.#options = options;
    this.#compiler = new SchemaCompiler(options);
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
    const { cacheDirectory: directory } = this.#options;
    const cache = directory && new SchemaCache({ directory, root });
    const stored = cache ? await cache.get(spec) : null;
    if (stored !== null) return stored;
    const { file, export_name } = spec;
    const extraction = await this.#compiler.extract({ file, export_name });
    if (cache) await cache.set(spec, extraction);
    return extraction.schemas;
  }
}
