import { z } from "@hono/zod-openapi";
import { uuid } from "../model/fields.ts";

/*
 * Numbers and ids as they arrive in paths and query strings. What a query
 * shares with a body (lists, lenient booleans) is in model/fields.ts.
 */

/** `{thread_id}` and the like in a path; anything but a UUID is 422. */
export const pathId = <Name extends string>(...names: Name[]) =>
  z.object(
    Object.fromEntries(names.map((name) => [name, uuid])) as Record<
      Name,
      typeof uuid
    >,
  );

/** A whole number in a query; its default when absent. */
export const integerParameter = (range: {
  min: number;
  max?: number;
  default: number;
}) =>
  z
    .string()
    .regex(/^[+-]?\d{1,15}$/, "must be an integer")
    .transform(Number)
    .pipe(
      z
        .int()
        .min(range.min)
        .max(range.max ?? Number.MAX_SAFE_INTEGER),
    )
    .optional()
    .transform((value) => value ?? range.default)
    .openapi({
      type: "integer",
      minimum: range.min,
      default: range.default,
      ...(range.max === undefined ? {} : { maximum: range.max }),
    });

/** Of the graphs whose frames a stream is to have, as repeated keys; empty text is the root graph. */
export const namespaceQuery = z.object({
  namespace: z.union([z.string(), z.array(z.string())]).optional(),
});

export const namespacesOf = ({
  namespace,
}: z.output<typeof namespaceQuery>): string[] | null =>
  namespace === undefined ? null : [namespace].flat();
