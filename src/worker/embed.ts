import type {
  EmbeddingRequests,
  EmbeddingSpec,
} from "../protocol/embedding-frames.ts";
import type { RequestServer } from "../protocol/peer.ts";
import type { WorkerContext } from "./context.ts";
import type { Embeddings } from "./embedding-models.ts";
import { loadEmbeddings } from "./embeddings.ts";
import { Refusal } from "./refusal.ts";

type Params = EmbeddingRequests["store.embed"]["params"];

/** Serves the vectors of store items, by whatever the project embeds with. */
export function embeddingRequests({
  project,
}: WorkerContext): RequestServer<EmbeddingRequests> {
  let loading: Promise<Embeddings> | null = null;
  const load = ({ source }: EmbeddingSpec): Promise<Embeddings> => {
    // What could not be loaded is tried again: a package may have been installed meanwhile.
    const loaded = (loading ??= loadEmbeddings(source, project.root));
    loaded.catch(() => (loading = null));
    return loaded;
  };
  return {
    "store.embed": async (params) => {
      const spec = project.embedding;
      if (spec === null) throw new Error("the project has no store.index");
      try {
        return await embed(await load(spec), params, spec.dims);
      } catch (cause) {
        throw new Refusal(
          "unavailable",
          `store.index.embed: ${cause instanceof Error ? cause.message : String(cause)}`,
          cause,
        );
      }
    },
  };
}

async function embed(
  embeddings: Embeddings,
  { texts, purpose }: Params,
  dims: number,
): Promise<Uint8Array[]> {
  if (texts.length === 0) return [];
  const vectors =
    purpose === "query"
      ? await Promise.all(texts.map((text) => embeddings.embedQuery(text)))
      : await embeddings.embedDocuments(texts);
  if (!Array.isArray(vectors) || vectors.length !== texts.length)
    throw new Error(
      `it was given ${texts.length} texts and must answer as many vectors, but answered ${Array.isArray(vectors) ? vectors.length : typeof vectors}`,
    );
  return vectors.map((vector) => encoded(vector, dims));
}

/** Of unit length, so that how alike two are is their product. */
function encoded(vector: unknown, dims: number): Uint8Array {
  const numbers = Float64Array.from((vector ?? []) as number[]);
  if (numbers.length !== dims)
    throw new Error(
      `it made a vector of ${numbers.length} numbers, but store.index.dims is ${dims}`,
    );
  const length = Math.sqrt(numbers.reduce((sum, n) => sum + n * n, 0));
  if (!Number.isFinite(length))
    throw new Error("it made a vector with something in it that is no number");
  const bytes = new Uint8Array(dims * 4);
  const view = new DataView(bytes.buffer);
  numbers.forEach((number, index) =>
    view.setFloat32(index * 4, length === 0 ? 0 : number / length, true),
  );
  return bytes;
}
