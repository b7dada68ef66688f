import { OpenAPIHono, type z } from "@hono/zod-openapi";
import type { Context, Handler } from "hono";
import type { AppEnv, HttpSettings } from "./deps.ts";
import { readJsonBody } from "./json-body.ts";
import { validationError } from "./validation.ts";

type Openapi = OpenAPIHono<AppEnv>["openapi"];

/** The parts of a route definition that a request is checked against. */
interface RequestSchemas {
  params?: z.ZodType;
  query?: z.ZodType;
  headers?: z.ZodObject;
  body?: { content: Record<string, { schema: z.ZodType }> };
}

interface RouteDefinition {
  method: string;
  path: string;
  hide?: boolean;
  request?: RequestSchemas;
}

/**
 * An OpenAPIHono that checks requests in its own way, for every `app.openapi(route, handler)`:
 * any body is JSON whatever its content type says, an absent one is `{}`, every
 * failure is our 422, and all of it is one step instead of one middleware per part.
 */
export class Api extends OpenAPIHono<AppEnv> {
  readonly #settings: HttpSettings;

  constructor(settings: HttpSettings) {
    super();
    this.#settings = settings;
  }

  override openapi = ((route: RouteDefinition, handler: Handler<AppEnv>) => {
    const { hide, ...definition } = route;
    if (hide !== true) this.openAPIRegistry.registerPath(definition as never);
    const { request = {} } = route;
    this.on(route.method, routePattern(route.path), async (c, next) => {
      await this.#validate(request, c);
      return handler(c, next);
    });
    return this;
  }) as unknown as Openapi;

  async #validate(schemas: RequestSchemas, c: Context<AppEnv>): Promise<void> {
    const { params, query, headers, body } = schemas;
    if (params !== undefined) check(c, "param", params, c.req.param());
    if (query !== undefined) check(c, "query", query, queryOf(c));
    if (headers !== undefined)
      check(c, "header", headers, headersOf(c, headers));
    const schema = body?.content["application/json"]?.schema;
    if (schema !== undefined)
      check(
        c,
        "json",
        schema,
        await readJsonBody(c.req.raw, this.#settings.maxBodyBytes),
      );
  }
}

/** `/threads/{thread_id}` -> `/threads/:thread_id` */
const routePattern = (path: string): string =>
  path.replaceAll(/\/\{(.+?)\}/g, "/:$1");

const ROOTS = {
  param: "path",
  query: "query",
  header: "headers",
  json: "body",
};

function check(
  c: Context<AppEnv>,
  target: keyof typeof ROOTS,
  schema: z.ZodType,
  value: unknown,
): void {
  const result = schema.safeParse(value);
  if (!result.success)
    throw validationError(result.error.issues, ROOTS[target]);
  c.req.addValidatedData(target, result.data as object);
}

/** One value as text, repeated ones as a list. */
const queryOf = (c: Context): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(c.req.queries()).map(([name, values]) => [
      name,
      values.length === 1 ? (values[0] ?? "") : values,
    ]),
  );

const headersOf = (c: Context, schema: z.ZodObject) =>
  Object.fromEntries(
    Object.keys(schema.shape).map((name) => [name, c.req.header(name)]),
  );
