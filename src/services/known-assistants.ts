import type { Caller } from "../auth/caller.ts";
import { Newest } from "../lib/newest.ts";
import { isUuid } from "../lib/uuid.ts";
import type { Assistant } from "../model/assistant.ts";
import type { Workers } from "../workers/port.ts";
import { hasGraph } from "./assistants.ts";

/** What those that are known may take up, in characters. */
const MAX_SIZE = 4 * 1024 * 1024;

/**
 * Assistants as they were when somebody ran them last, by the name that they
 * were asked for and who has asked. They are a guess: whoever uses one has the
 * database say that it still is so, in the statement that is made of it.
 */
export class KnownAssistants {
  readonly #found = new Newest<Assistant>(MAX_SIZE);

  /** Null also when the project has to be asked: its graph is gone, or another has got the name. */
  recall(
    workers: Pick<Workers, "graphs">,
    caller: Caller,
    idOrGraphId: string,
  ): Assistant | null {
    const assistant = this.#found.get(keyOf(caller, idOrGraphId));
    if (assistant === null || !hasGraph(workers, assistant.graph_id))
      return null;
    return isUuid(idOrGraphId) && hasGraph(workers, idOrGraphId)
      ? null
      : assistant;
  }

  remember(caller: Caller, idOrGraphId: string, assistant: Assistant): void {
    const key = keyOf(caller, idOrGraphId);
    const size = key.length + JSON.stringify(assistant).length;
    this.#found.set(key, assistant, size);
  }
}

const keyOf = ({ access }: Caller, idOrGraphId: string): string =>
  JSON.stringify([idOrGraphId, access]);
