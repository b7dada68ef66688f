import type { StoreIndex } from "../model/store-index.ts";
import type {
  EmbeddingSource,
  EmbeddingSpec,
} from "../protocol/embedding-frames.ts";
import { ConfigError } from "./config-error.ts";
import { toExport } from "./graph-specs.ts";
import { text, texts, type Section } from "./sections.ts";

/** `store.index`, and how its vectors are made. */
export type StoreIndexConfig = StoreIndex & { embedding: EmbeddingSpec };

/** pgvector stores no longer ones. */
const MAX_DIMS = 16_000;

/** Paths are relative to `root`. */
export function toStoreIndex(
  section: Section,
  { root }: { root: string },
): StoreIndexConfig {
  const { key } = section;
  const embed = text(section, "embed");
  if (embed === null)
    throw new ConfigError(
      `${key}.embed is missing; say what makes the vectors: "provider:model", or "./src/embed.ts:embed"`,
    );
  const dims = toDims(section);
  const source = toSource(embed, { root, key: `${key}.embed` });
  const fields = texts(section, "fields") ?? ["$"];
  return { embed, dims, fields, embedding: { source, dims } };
}

function toDims(section: Section): number {
  const dims = section.values["dims"];
  if (
    Number.isInteger(dims) &&
    (dims as number) > 0 &&
    (dims as number) <= MAX_DIMS
  )
    return dims as number;
  throw new ConfigError(
    `${section.key}.dims must be how many numbers a vector of the model has, from 1 to ${MAX_DIMS}`,
  );
}

/** Both have a colon; a path begins like one, or ends like the name of a module. */
function toSource(
  embed: string,
  at: { root: string; key: string },
): EmbeddingSource {
  const [, provider = "", model = ""] = /^([^:]+):(.+)$/.exec(embed) ?? [];
  const isPath = /^[./]|^[A-Za-z]:[\\/]|\.(?:[cm]?[jt]sx?|py):[^:]*$/.test(
    embed,
  );
  if (isPath) return { kind: "function", ...toExport(embed, at) };
  if (model === "")
    throw new ConfigError(
      `${at.key} is ${JSON.stringify(embed)}; it must be "provider:model", like "openai:text-embedding-3-small", or "./src/embed.ts:embed"`,
    );
  return { kind: "model", provider, model };
}
