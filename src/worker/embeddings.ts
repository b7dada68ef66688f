import { relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import type { EmbeddingSource } from "../protocol/embedding-frames.ts";
import { modelEmbeddings, type Embeddings } from "./embedding-models.ts";
import { exportsOf } from "./graph-exports.ts";

/** Throws with what is wrong and the remedy. */
export async function loadEmbeddings(
  source: EmbeddingSource,
  root: string,
): Promise<Embeddings> {
  if (source.kind === "model") return modelEmbeddings(source);
  const file = relative(root, source.file).split(sep).join("/");
  const module: Record<string, unknown> = await import(
    /* @vite-ignore */ pathToFileURL(source.file).href
  );
  const names = exportsOf(module);
  const value = await names.get(source.export_name);
  if (isEmbeddings(value)) return value;
  if (typeof value === "function")
    return ofFunction(value as (texts: string[]) => unknown);
  const found = names.has(source.export_name)
    ? `"${source.export_name}" of ${file} is not one`
    : `${file} exports ${[...names.keys()].join(", ") || "nothing"}, and not "${source.export_name}"`;
  throw new Error(
    `it must be a function from texts to vectors, or one of LangChain's Embeddings; ${found}`,
  );
}

function isEmbeddings(value: unknown): value is Embeddings {
  const { embedDocuments, embedQuery } = (value ?? {}) as Partial<Embeddings>;
  return (
    typeof embedDocuments === "function" && typeof embedQuery === "function"
  );
}

function ofFunction(embed: (texts: string[]) => unknown): Embeddings {
  const embedDocuments = async (texts: string[]) =>
    (await embed(texts)) as number[][];
  return {
    embedDocuments,
    embedQuery: async (text) => (await embedDocuments([text]))[0] ?? [],
  };
}
