import { nearest } from "../lib/nearest.ts";
import type { EmbeddingSource } from "../protocol/embedding-frames.ts";

/** What LangChain's `Embeddings` can do, as far as we need it. */
export interface Embeddings {
  embedDocuments(texts: string[]): Promise<number[][]>;
  embedQuery(text: string): Promise<number[]>;
}

/**
 * Python's `init_embeddings` knows these providers. LangChain for JavaScript
 * has no such function: its packages are asked for their classes.
 */
const PROVIDERS: Record<string, [module: string, name: string]> = {
  azure_openai: ["@langchain/openai", "AzureOpenAIEmbeddings"],
  bedrock: ["@langchain/aws", "BedrockEmbeddings"],
  cohere: ["@langchain/cohere", "CohereEmbeddings"],
  google_genai: ["@langchain/google-genai", "GoogleGenerativeAIEmbeddings"],
  google_vertexai: ["@langchain/google-vertexai", "VertexAIEmbeddings"],
  mistralai: ["@langchain/mistralai", "MistralAIEmbeddings"],
  ollama: ["@langchain/ollama", "OllamaEmbeddings"],
  openai: ["@langchain/openai", "OpenAIEmbeddings"],
};

type EmbeddingsClass = new (fields: { model: string }) => Embeddings;

/** The provider's class, from the packages of the project. Throws with what is missing and how to get it. */
export async function modelEmbeddings({
  provider,
  model,
}: EmbeddingSource & { kind: "model" }): Promise<Embeddings> {
  const [module, name] = PROVIDERS[provider.replaceAll("-", "_")] ?? [];
  if (module === undefined || name === undefined)
    throw new Error(unknownProvider(provider));
  const found = (await import(/* @vite-ignore */ module).catch(
    (cause: unknown) => {
      throw isMissing(cause, module) ? notInstalled(provider, module) : cause;
    },
  )) as Record<string, EmbeddingsClass | undefined>;
  const Class = found[name];
  if (Class === undefined)
    throw new Error(
      `${module} has no ${name}; update it: npm install ${module}@latest`,
    );
  return new Class({ model });
}

function unknownProvider(provider: string): string {
  const known = Object.keys(PROVIDERS);
  const meant = nearest(provider, known);
  const hint = meant === null ? "" : `did you mean "${meant}"? `;
  return `there is no provider "${provider}"; ${hint}Known are ${known.join(", ")}. For another, export a function and name it: "./src/embed.ts:embed"`;
}

const isMissing = (cause: unknown, module: string): boolean =>
  (cause as { code?: string }).code === "ERR_MODULE_NOT_FOUND" &&
  (cause as Error).message.includes(`'${module}'`);

const notInstalled = (provider: string, module: string) =>
  new Error(
    `the provider "${provider}" needs ${module}, which is not installed in the project; run: npm install ${module}`,
  );
