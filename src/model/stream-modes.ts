import { z } from "zod";
import { list, queryList } from "./fields.ts";

/** What a request asked for. */
export interface ModeChoice<Mode extends string> {
  modes: Mode[];
  /** Left out; whoever reads the request logs them. */
  unknown: string[];
}

/** One of the names, of which clients may send some that only other servers know. */
const choiceOf =
  <Mode extends string>(known: readonly Mode[]) =>
  (given: string[], context: z.RefinementCtx): ModeChoice<Mode> => {
    const asked = [...new Set(given)];
    const isKnown = (mode: string): mode is Mode =>
      (known as readonly string[]).includes(mode);
    const modes = asked.filter(isKnown);
    const unknown = asked.filter((mode) => !isKnown(mode));
    if (modes.length === 0 && unknown.length > 0)
      context.issues.push({
        code: "custom",
        input: given,
        message: `unknown mode ${JSON.stringify(unknown[0])}; known are ${known.join(", ")}`,
      });
    return { modes, unknown };
  };

const documented = (known: readonly string[]) => ({
  anyOf: [
    { type: "string", enum: [...known] },
    { type: "array", items: { type: "string", enum: [...known] } },
  ],
});

/** In a body: a mode, or a list of them. Those that are not known are refused only when nothing else is asked for. */
export const modesInBody = <Mode extends string>(known: readonly Mode[]) =>
  z
    .preprocess(
      (given) => (typeof given === "string" ? [given] : given),
      list(z.array(z.string())),
    )
    .transform(choiceOf(known))
    .meta(documented(known));

/** The same in a query, which writes lists in its own ways. */
export const modesInQuery = <Mode extends string>(known: readonly Mode[]) =>
  queryList(z.string()).transform(choiceOf(known)).meta(documented(known));
