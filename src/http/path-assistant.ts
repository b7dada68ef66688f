import { z } from "@hono/zod-openapi";

/** `{assistant_id}` in a path. Not a UUID: every graph's id is one more name of its assistant. */
export const assistantId = z.object({
  assistant_id: z
    .string()
    .meta({ description: "The id of an assistant or of a graph" }),
});
