/*
 * TypeScript types as JSON Schema (draft-07). It describes the value as JSON
 * carries it: `undefined` and functions are not there, a `Date` is a string,
 * a class with `toJSON` is what that returns.
 *
 * Types with a name, and types that contain themselves, become `definitions`.
 * What has no counterpart becomes `{}`, which allows anything: a schema that
 * is too wide is of use, one that is missing is not.
 */
import type TS from "typescript";
import { ts } from "./typescript.ts";
import type { JsonObject } from "../../lib/json.ts";
import { DRAFT_07 } from "./json-schema-draft.ts";
import { anyOf, literalsOf, mergeLiterals } from "./literal-schemas.ts";
import {
  MESSAGE_DEFINITION,
  MESSAGE_REF,
  MESSAGE_SCHEMA,
  MESSAGES_SCHEMA,
} from "./message-schema.ts";
import {
  elementOf,
  hasFlag,
  isAbsent,
  isMessage,
  isMessageList,
  isNamedByAuthor,
  isOverwrite,
  isPlatformType,
  membersOf,
  nameOf,
  propertyType,
} from "./type-facts.ts";

/** A type that grows with each step into it (`Box<Box<…>>`) has to end somewhere. */
const MAX_DEPTH = 24;
/** Beyond it somebody has put a library's inner world into the state. */
const MAX_DEFINITIONS = 200;
const MAX_NAME_LENGTH = 60;

export interface ConvertContext {
  program: TS.Program;
  checker: TS.TypeChecker;
}

/** A complete schema document, or null when the type says nothing (`any`, `unknown`, `never`). */
export function typeToJsonSchema(
  context: ConvertContext,
  type: TS.Type,
): JsonObject | null {
  const nothing = ts.TypeFlags.Any | ts.TypeFlags.Unknown | ts.TypeFlags.Never;
  if (hasFlag(type, nothing)) return null;
  const converter = new Converter(context);
  const schema = converter.root(type);
  return {
    $schema: DRAFT_07,
    ...schema,
    ...(converter.definitions.size === 0
      ? {}
      : { definitions: Object.fromEntries(converter.definitions) }),
  };
}

class Converter {
  readonly definitions = new Map<string, JsonObject>();
  readonly #context: ConvertContext;
  readonly #checker: TS.TypeChecker;
  /** Where each named or recursive type is defined. */
  readonly #names = new Map<TS.Type, string>();
  /** The types we are inside of. */
  readonly #open: TS.Type[] = [];

  constructor(context: ConvertContext) {
    this.#context = context;
    this.#checker = context.checker;
  }

  /** The document's own schema stands at its top, whatever the type is called. */
  root(type: TS.Type): JsonObject {
    const schema = isMessageList(this.#checker, type)
      ? this.#messages()
      : this.#inside(type, () => this.#structure(type));
    const name = this.#names.get(type);
    if (name !== undefined) this.definitions.set(name, schema);
    return schema;
  }

  #convert(type: TS.Type): JsonObject {
    const simple = simpleSchema(type) ?? this.#platformSchema(type);
    if (simple !== null) return simple;
    if (isMessageList(this.#checker, type)) return this.#messages();
    if (isMessage(type)) return this.#message();
    const known = this.#names.get(type);
    if (known !== undefined) return refTo(known);
    // An array holds itself only by way of a name (`type Tree = Tree[]`).
    if (type.aliasSymbol === undefined && this.#isList(type))
      return this.#structure(type);
    if (this.#open.includes(type)) return refTo(this.#nameFor(type));
    if (this.#open.length >= MAX_DEPTH) return {};
    return this.#definable(type) ? this.#define(type) : this.#inPlace(type);
  }

  /** A type without a name; only when it turns out to contain itself does it get one. */
  #inPlace(type: TS.Type): JsonObject {
    const schema = this.#inside(type, () => this.#structure(type));
    const name = this.#names.get(type);
    if (name === undefined) return schema;
    this.definitions.set(name, schema);
    return refTo(name);
  }

  #define(type: TS.Type): JsonObject {
    if (this.definitions.size >= MAX_DEFINITIONS) return {};
    const name = this.#nameFor(type);
    this.definitions.set(name, {}); // keeps its place in the order of first mention
    this.definitions.set(
      name,
      this.#inside(type, () => this.#structure(type)),
    );
    return refTo(name);
  }

  #inside(type: TS.Type, convert: () => JsonObject): JsonObject {
    this.#open.push(type);
    try {
      return convert();
    } finally {
      this.#open.pop();
    }
  }

  /** Literals, enums, arrays and tuples read better where they are used. */
  #definable(type: TS.Type): boolean {
    if (this.#isList(type) || literalsOf(type) !== null) return false;
    return isNamedByAuthor(this.#context.program, type);
  }

  #isList(type: TS.Type): boolean {
    return this.#checker.isArrayType(type) || this.#checker.isTupleType(type);
  }

  #nameFor(type: TS.Type): string {
    const existing = this.#names.get(type);
    if (existing !== undefined) return existing;
    const wanted = this.#wantedName(type);
    const taken = new Set([...this.#names.values(), MESSAGE_DEFINITION]);
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted}_${n}`;
    this.#names.set(type, name);
    return name;
  }

  #wantedName(type: TS.Type): string {
    if (nameOf(type) === null) return "Recursive";
    // Without the alias flag the name of `Box<string>` would be its body.
    const text = this.#checker
      .typeToString(
        type,
        undefined,
        ts.TypeFormatFlags.UseAliasDefinedOutsideCurrentScope,
      )
      .replace(/[^A-Za-z0-9_]+/g, "_")
      .replace(/^_+|_+$/g, "");
    return text.slice(0, MAX_NAME_LENGTH) || "Type";
  }

  #structure(type: TS.Type): JsonObject {
    if (type.isUnion()) return this.#union(type);
    const element = elementOf(this.#checker, type);
    if (element !== null)
      return { type: "array", items: this.#convert(element) };
    if (this.#checker.isTupleType(type))
      return this.#tuple(type as TS.TypeReference);
    if (type.isIntersection()) {
      // A branded primitive (`string & {__brand: …}`) travels as the primitive.
      const primitive = type.types.map(simpleSchema).find(isTyped);
      if (primitive) return primitive;
    }
    if (hasFlag(type, ts.TypeFlags.Object | ts.TypeFlags.Intersection))
      return this.#object(type);
    const bound = this.#checker.getBaseConstraintOfType(type);
    return bound === undefined || bound === type ? {} : this.#convert(bound);
  }

  #union(type: TS.UnionType): JsonObject {
    const literals = literalsOf(type);
    if (literals !== null) return literals;
    const members = type.types.filter((m) => !isAbsent(m) && !isOverwrite(m));
    const isLiteral = (member: TS.Type) => literalsOf(member) !== null;
    const merged = mergeLiterals(members.filter(isLiteral));
    const others = members
      .filter((member) => !isLiteral(member))
      .map((member) => this.#convert(member));
    return anyOf([...others, ...merged]);
  }

  #tuple(type: TS.TypeReference): JsonObject {
    const { elementFlags } = type.target as TS.TupleType;
    const args = this.#checker.getTypeArguments(type);
    const fixed = args.filter((_, i) => !isRest(elementFlags[i]));
    const rest = args.find((_, i) => isRest(elementFlags[i]));
    const required = elementFlags.filter(
      (flag) => (flag & ts.ElementFlags.Required) !== 0,
    );
    return {
      type: "array",
      items: fixed.map((element) => this.#convert(element)),
      minItems: required.length,
      ...(rest === undefined
        ? { maxItems: fixed.length }
        : { additionalItems: this.#convert(rest) }),
    };
  }

  #object(type: TS.Type): JsonObject {
    const asJson = this.#toJson(type);
    if (asJson !== null) return this.#convert(asJson);
    if (type.getCallSignatures().length > 0) return {};
    const properties: JsonObject = {};
    const required: string[] = [];
    for (const property of this.#checker.getPropertiesOfType(type)) {
      const field = this.#property(property);
      if (field === null) continue;
      properties[property.name] = field.schema;
      if (!field.isOptional) required.push(property.name);
    }
    const rest = this.#indexed(type);
    return {
      type: "object",
      ...(Object.keys(properties).length === 0 ? {} : { properties }),
      ...(required.length === 0 ? {} : { required }),
      ...(rest === null ? {} : { additionalProperties: rest }),
    };
  }

  /** Null for what JSON does not carry: methods, symbols, what a class hides. */
  #property(
    symbol: TS.Symbol,
  ): { schema: JsonObject; isOptional: boolean } | null {
    if (isHidden(symbol)) return null;
    const type = this.#checker.getTypeOfSymbol(symbol);
    const members = membersOf(type).filter((member) => !isAbsent(member));
    if (members.length === 0) return null;
    if (members.every((member) => member.getCallSignatures().length > 0))
      return null;
    const description = ts.displayPartsToString(
      symbol.getDocumentationComment(this.#checker),
    );
    return {
      schema: describe(this.#convert(this.#present(type)), description),
      isOptional:
        (symbol.flags & ts.SymbolFlags.Optional) !== 0 ||
        members.length < membersOf(type).length,
    };
  }

  /** Without `undefined`, and without what only LangGraph itself writes. */
  #present(type: TS.Type): TS.Type {
    const members = membersOf(type).filter((member) => !isAbsent(member));
    const plain = members.filter((member) => !isOverwrite(member));
    if (plain.length === 1 && plain[0] !== undefined) return plain[0];
    // It would take away null as well; the union converter leaves out the rest.
    const keep = members.some((member) => hasFlag(member, ts.TypeFlags.Null));
    return keep ? type : this.#checker.getNonNullableType(type);
  }

  #indexed(type: TS.Type): JsonObject | null {
    const info =
      this.#checker.getIndexInfoOfType(type, ts.IndexKind.String) ??
      this.#checker.getIndexInfoOfType(type, ts.IndexKind.Number);
    const schema = info === undefined ? {} : this.#convert(info.type);
    return Object.keys(schema).length === 0 ? null : schema; // anything goes: the default
  }

  /** What `toJSON()` returns, when the type has one. */
  #toJson(type: TS.Type): TS.Type | null {
    const method = propertyType(this.#checker, type, "toJSON");
    const signature = method?.getCallSignatures()[0];
    if (signature === undefined) return null;
    const result = this.#checker.getReturnTypeOfSignature(signature);
    return result === type ? null : result;
  }

  /** Classes of the platform are known by name or are not data. */
  #platformSchema(type: TS.Type): JsonObject | null {
    if (!isPlatformType(this.#context.program, type)) return null;
    if (this.#isList(type)) return null;
    switch (type.symbol.name) {
      case "Date":
        return { type: "string", format: "date-time" };
      case "URL":
        return { type: "string", format: "uri" };
      case "Promise": {
        const awaited = this.#checker.getAwaitedType(type);
        return awaited === undefined ? {} : this.#convert(awaited);
      }
      default:
        // `Partial<T>` and the like are mapped types: their symbol is `__type`.
        return nameOf(type) === null || type.symbol.name.startsWith("__")
          ? null
          : {};
    }
  }

  #messages(): JsonObject {
    this.#message();
    return MESSAGES_SCHEMA;
  }

  #message(): JsonObject {
    this.definitions.set(MESSAGE_DEFINITION, MESSAGE_SCHEMA);
    return MESSAGE_REF;
  }
}

const refTo = (name: string): JsonObject => ({
  $ref: `#/definitions/${name}`,
});

/** Draft-07 ignores what stands beside a `$ref`, so a description needs a wrapper. */
function describe(schema: JsonObject, description: string): JsonObject {
  if (description === "") return schema;
  return "$ref" in schema
    ? { allOf: [schema], description }
    : { ...schema, description };
}

function isHidden(symbol: TS.Symbol): boolean {
  if (symbol.name.startsWith("__@")) return true; // named by a symbol
  const declaration = symbol.valueDeclaration;
  if (declaration === undefined) return false;
  const { name } = declaration as Partial<TS.NamedDeclaration>;
  if (name && ts.isPrivateIdentifier(name)) return true;
  const hidden = ts.ModifierFlags.NonPublicAccessibilityModifier;
  return (ts.getCombinedModifierFlags(declaration) & hidden) !== 0;
}

const isRest = (flag: TS.ElementFlags | undefined): boolean =>
  flag !== undefined && (flag & ts.ElementFlags.Variable) !== 0;

const isTyped = (schema: JsonObject | null): schema is JsonObject =>
  schema !== null && "type" in schema;

function simpleSchema(type: TS.Type): JsonObject | null {
  const { flags } = type;
  const F = ts.TypeFlags;
  const literals = literalsOf(type);
  if (literals !== null) return literals;
  if (flags & (F.Any | F.Unknown | F.ESSymbolLike)) return {};
  if (flags & F.Never) return { not: {} };
  if (flags & (F.Undefined | F.Void)) return {};
  if (flags & (F.String | F.TemplateLiteral | F.StringMapping))
    return { type: "string" };
  if (flags & (F.Number | F.Enum)) return { type: "number" };
  if (flags & F.BigInt) return { type: "integer" };
  if (flags & F.NonPrimitive) return { type: "object" };
  return null;
}
