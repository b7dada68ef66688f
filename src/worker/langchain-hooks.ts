import type { InitializeHook, ResolveHook } from "node:module";

/*
 * Runs on the thread of the module hooks. Our own imports of LangChain get
 * the copy of the user's project: with two copies in a process, `instanceof`
 * and the classes of stored values would not agree.
 */

export interface LangChainHooksData {
  /** URL of the directory of our own program. */
  ours: string;
  /** URLs of files to resolve from, the first that has the package wins. */
  importers: string[];
}

let settings: LangChainHooksData = { ours: "", importers: [] };

export const initialize: InitializeHook<LangChainHooksData> = (data) => {
  settings = data;
};

export const resolve: ResolveHook = async (specifier, context, nextResolve) => {
  const isOurs = context.parentURL?.startsWith(settings.ours) === true;
  if (!isOurs || !specifier.startsWith("@langchain/"))
    return nextResolve(specifier, context);
  const find = async (name: string, parentURL: string) => {
    try {
      return await nextResolve(name, { ...context, parentURL });
    } catch {
      return null;
    }
  };
  for (const importer of settings.importers) {
    const found = await find(specifier, importer);
    if (found !== null) return found;
    // Strict installers hide what is no direct dependency; LangGraph itself sees the rest of LangChain.
    const langgraph = await find("@langchain/langgraph", importer);
    const hidden = langgraph && (await find(specifier, langgraph.url));
    if (hidden !== null) return hidden;
  }
  return nextResolve(specifier, context);
};
