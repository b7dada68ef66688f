import type TS from "typescript";
import { ts } from "./typescript.ts";
import type { Json, JsonObject } from "../../lib/json.ts";
import { hasFlag, membersOf } from "./type-facts.ts";

/** The schema of a literal, of an enum, or of a union of nothing but those; null for any other type. */
export function literalsOf(type: TS.Type): JsonObject | null {
  const values: Json[] = [];
  for (const member of membersOf(type)) {
    const value = literalValue(member);
    if (value === undefined) return null;
    values.push(value);
  }
  return anyOf(enumOf(values));
}

/** One schema, at most two, for many literals. */
export const mergeLiterals = (types: TS.Type[]): JsonObject[] =>
  enumOf(types.flatMap(membersOf).map((type) => literalValue(type) ?? null));

function enumOf(values: Json[]): JsonObject[] {
  if (values.length === 0) return [];
  if (values.includes(true) && values.includes(false))
    return [
      { type: "boolean" },
      ...enumOf(values.filter((value) => typeof value !== "boolean")),
    ];
  if (values.length === 1 && values[0] === null) return [{ type: "null" }];
  values.sort((a, b) => Number(a === null) - Number(b === null)); // null last
  const types = [...new Set(values.map(jsonTypeOf))];
  const type = types.length === 1 ? (types[0] as string) : types;
  return [
    values.length === 1
      ? { type, const: values[0] as Json }
      : { type, enum: values },
  ];
}

const jsonTypeOf = (value: Json): string =>
  value === null ? "null" : typeof value;

function literalValue(type: TS.Type): Json | undefined {
  if (type.isStringLiteral() || type.isNumberLiteral()) return type.value;
  if (hasFlag(type, ts.TypeFlags.Null)) return null;
  if (hasFlag(type, ts.TypeFlags.BooleanLiteral))
    return (
      (type as TS.Type & { intrinsicName: string }).intrinsicName === "true"
    );
  return undefined;
}

/** Schemas of which any may hold. Members that say no more than their type share one `type` list. */
export function anyOf(schemas: JsonObject[]): JsonObject {
  const bare = schemas
    .filter(isBareType)
    .map((schema) => schema.type as string);
  const types = [...new Set(bare)];
  const rest = schemas.filter((schema) => !isBareType(schema));
  const merged: JsonObject[] =
    types.length === 0
      ? []
      : [{ type: types.length === 1 ? (types[0] as string) : types }];
  const all = [...merged, ...rest];
  return all.length === 1 ? (all[0] as JsonObject) : { anyOf: all };
}

const isBareType = (schema: JsonObject): boolean =>
  typeof schema.type === "string" && Object.keys(schema).length === 1;
