import fc from "fast-check";
import { NASTY_TEXTS, nastyValue } from "./nasty.ts";
import { NOBODY } from "./sdk.ts";

/** What we read of a JSON Schema. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  format?: string;
}

export interface Operation {
  method: string;
  path: string;
  parameters: {
    in: "path" | "query" | "header";
    name: string;
    schema: Schema;
  }[];
  body: Schema | null;
  /** By status and content type. */
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

export interface Document {
  paths: Record<string, Record<string, RawOperation>>;
  components: { schemas: Record<string, Schema> };
}

interface RawOperation {
  parameters?: Operation["parameters"];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Operation["responses"];
}

export const operationsOf = (document: Document): Operation[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({
      method: method.toUpperCase(),
      path,
      parameters: one.parameters ?? [],
      body: one.requestBody?.content["application/json"]?.schema ?? null,
      responses: one.responses,
    })),
  );

export interface FuzzedRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string | null;
}

/** Names that lead somewhere, by the field that they are for. */
export type Known = Readonly<Record<string, readonly string[]>>;

/** Requests of an operation: most of it as the schema has it, here and there something that nobody expects. */
export class RequestMaker {
  readonly #schemas: Record<string, Schema>;
  readonly #known: Known;

  constructor(document: Document, known: Known) {
    this.#schemas = document.components.schemas;
    this.#known = known;
  }

  requests(operation: Operation): fc.Arbitrary<FuzzedRequest> {
    const { method, path, parameters, body } = operation;
    const part = (where: string) =>
      fc.record(
        Object.fromEntries(
          parameters
            .filter((one) => one.in === where)
            .map((one) => [one.name, this.#text(one.name, one.schema)]),
        ),
        where === "path" ? {} : { requiredKeys: [] },
      );
    return fc
      .record({
        path: part("path"),
        query: part("query"),
        headers: part("header"),
        body: body === null ? fc.constant(null) : this.#body(body),
      })
      .map((parts) => ({
        method,
        url: urlOf(path, parts.path, parts.query),
        headers: Object.fromEntries(
          Object.entries(parts.headers).map(([name, value = ""]) => [
            name,
            value.replaceAll(/[^\x20-\x7e]/g, "?"),
          ]),
        ),
        body: parts.body,
      }));
  }

  #body(schema: Schema): fc.Arbitrary<string> {
    return fc.oneof(
      { weight: 30, arbitrary: this.#value("", schema, 4).map(textOf) },
      { weight: 1, arbitrary: nastyValue.map(textOf) },
      { weight: 1, arbitrary: fc.string() },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom("[", '{"a":', '"', "\\"), fc.nat(2000))
          .map(([text, times]) => text.repeat(times)),
      },
    );
  }

  #text(name: string, schema: Schema): fc.Arbitrary<string> {
    return fc.oneof(
      {
        weight: 6,
        arbitrary: this.#value(name, schema, 1).map((value) =>
          typeof value === "string" ? value : textOf(value),
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom(...NASTY_TEXTS) },
    );
  }

  #value(name: string, schema: Schema, depth: number): fc.Arbitrary<unknown> {
    return fc.oneof(
      { weight: 14, arbitrary: this.#valid(name, schema, depth) },
      { weight: 1, arbitrary: nastyValue },
    );
  }

  #valid(name: string, schema: Schema, depth: number): fc.Arbitrary<unknown> {
    const known = this.#known[name];
    if (known !== undefined) return fc.constantFrom(...known);
    if (schema.$ref !== undefined)
      return this.#valid(name, this.#resolve(schema.$ref), depth);
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    const choices = schema.anyOf ?? schema.allOf;
    if (choices !== undefined)
      return fc.oneof(...choices.map((one) => this.#valid(name, one, depth)));
    const types = [schema.type ?? "any"].flat();
    return fc.oneof(...types.map((type) => this.#ofType(type, schema, depth)));
  }

  #ofType(type: string, schema: Schema, depth: number): fc.Arbitrary<unknown> {
    switch (type) {
      case "object":
        return this.#object(schema, depth);
      case "array":
        return fc.array(this.#value("", schema.items ?? {}, depth - 1), {
          maxLength: depth > 0 ? 3 : 0,
        });
      case "string":
        return schema.format === "uuid"
          ? fc.oneof(fc.uuid(), fc.constant(NOBODY))
          : fc.oneof(fc.string(), fc.constantFrom("", "values", "1", "true"));
      case "integer":
        return fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer());
      case "number":
        return fc.oneof(fc.integer({ min: 1, max: 60 }), fc.double());
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      default:
        return fc.oneof(fc.jsonValue({ maxDepth: 3 }), nastyValue);
    }
  }

  #object(
    { properties = {}, required = [] }: Schema,
    depth: number,
  ): fc.Arbitrary<unknown> {
    const members = Object.entries(properties);
    if (members.length === 0)
      return fc.oneof(
        fc.constant({}),
        fc.dictionary(
          fc.oneof(fc.string(), fc.constantFrom(...NASTY_TEXTS)),
          fc.jsonValue({ maxDepth: 2 }),
          { maxKeys: 4 },
        ),
      );
    const model = members.map(
      ([name, schema]) => [name, this.#value(name, schema, depth - 1)] as const,
    );
    return fc.record(Object.fromEntries(model), { requiredKeys: required });
  }

  #resolve(ref: string): Schema {
    const name = ref.split("/").at(-1) ?? "";
    return this.#schemas[name] ?? {};
  }
}

const textOf = (value: unknown): string => JSON.stringify(value) ?? "null";

const percent = (text: string): string =>
  encodeURIComponent((text as unknown as { toWellFormed(): string }).toWellFormed()); // prettier-ignore

function urlOf(
  path: string,
  ids: Partial<Record<string, string>>,
  query: Partial<Record<string, string>>,
): string {
  const filled = path.replaceAll(
    /\{(.+?)\}/g,
    (_, name: string) => percent(ids[name] ?? "") || "%20",
  );
  const search = Object.entries(query)
    .map(([name, value]) => `${name}=${percent(value ?? "")}`)
    .join("&");
  return search === "" ? filled : `${filled}?${search}`;
}
