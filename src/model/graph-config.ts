import { z } from "zod";
import { isObject } from "../lib/json.ts";
import { jsonObject, list, optional } from "./fields.ts";

/** What we read of a config; the other members are the graph's. */
const known = z.object({
  tags: optional(list(z.array(z.string()))),
  recursion_limit: optional(z.int().min(1)),
  // LangGraph would wait for ever for a place that there is not.
  max_concurrency: optional(z.int().min(1)),
  metadata: optional(jsonObject),
  configurable: optional(jsonObject),
});

/** The `config` of a run or of an assistant. Checked, and passed on as it came. */
export const graphConfig = jsonObject.superRefine((given, context) => {
  if (!isObject(given)) return; // said by jsonObject already
  for (const issue of known.safeParse(given).error?.issues ?? [])
    context.addIssue({ ...issue, code: "custom", message: issue.message });
});
