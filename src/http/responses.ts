import { z } from "@hono/zod-openapi";

/** One of the `responses` of a route definition: `200: jsonResponse(thread, "The thread.")`. */
export const jsonResponse = <Schema extends z.ZodType>(
  schema: Schema,
  description: string,
) => ({ description, content: { "application/json": { schema } } });

/** The `request.body` of a route definition. */
export const jsonBody = <Schema extends z.ZodType>(schema: Schema) => ({
  content: { "application/json": { schema } },
  required: true,
});

/** What every error answers. */
export const errorBody = z
  .object({
    detail: z.string(),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .optional(),
  })
  .meta({ id: "Error" });

const ERRORS = {
  400: "The request makes no sense for this resource.",
  404: "There is no such thing, or it is not yours to see.",
  409: "It exists already, or it is busy.",
  422: "A field has a wrong value; `errors` names it.",
};
type ErrorStatus = keyof typeof ERRORS;

/** The errors that a route may answer, for its `responses`: `...errorResponses(404, 422)`. Handlers throw them. */
export const errorResponses = <Status extends ErrorStatus>(
  ...statuses: Status[]
) =>
  Object.fromEntries(
    statuses.map((status) => [status, jsonResponse(errorBody, ERRORS[status])]),
  ) as Record<Status, ReturnType<typeof jsonResponse<typeof errorBody>>>;
