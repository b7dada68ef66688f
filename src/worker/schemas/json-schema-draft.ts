import { isObject, type Json, type JsonObject } from "../../lib/json.ts";

export const DRAFT_07 = "http://json-schema.org/draft-07/schema#";

/** Says in draft-07 what a library may have said in a later draft: `$defs`, `prefixItems`. */
export function toDraft07(schema: JsonObject): JsonObject {
  const body = downgrade(schema) as JsonObject;
  const refs = rewriteRefs(body, (ref) =>
    ref.replaceAll("/$defs/", "/definitions/"),
  );
  return { $schema: DRAFT_07, ...refs };
}

/** A copy with each local `$ref` as `rewrite` has it. */
export function rewriteRefs<T extends Json>(
  schema: T,
  rewrite: (ref: string) => string,
): T {
  return mapObjects(schema, (object) => {
    const { $ref } = object;
    return typeof $ref === "string" && $ref.startsWith("#")
      ? { ...object, $ref: rewrite($ref) }
      : object;
  }) as T;
}

const downgrade = (schema: Json): Json =>
  mapObjects(schema, ({ $schema: _draft, $defs, prefixItems, ...rest }) => {
    const definitions = $defs === undefined ? {} : { definitions: $defs };
    if (!Array.isArray(prefixItems)) return { ...rest, ...definitions };
    const { items: additionalItems, ...others } = rest;
    return {
      ...others,
      ...definitions,
      items: prefixItems,
      ...(additionalItems === undefined ? {} : { additionalItems }),
    };
  });

function mapObjects(
  value: Json,
  map: (object: JsonObject) => JsonObject,
): Json {
  if (Array.isArray(value)) return value.map((part) => mapObjects(part, map));
  if (!isObject(value)) return value;
  const parts = Object.entries(value as JsonObject).map(
    ([key, part]) => [key, mapObjects(part, map)] as const,
  );
  return map(Object.fromEntries(parts));
}
