import type TS from "typescript";
import { ts } from "./typescript.ts";

/** Questions about types that the checker has no single answer for. */

export const hasFlag = (type: TS.Type, flag: TS.TypeFlags): boolean =>
  (type.flags & flag) !== 0;

/** The members of a union, or the type itself. */
export const membersOf = (type: TS.Type): TS.Type[] =>
  type.isUnion() ? type.types : [type];

/** `undefined`, `void`: not a value in JSON. */
export const isAbsent = (type: TS.Type): boolean =>
  hasFlag(type, ts.TypeFlags.Undefined | ts.TypeFlags.Void);

/** LangGraph adds `OverwriteValue<T>` to what a reducer takes; nobody fills that into a form. */
export const isOverwrite = (type: TS.Type): boolean =>
  nameOf(type) === "OverwriteValue" || nameOf(type) === "Overwrite";

/** The name that its author gave the type: of its alias, else of its class or interface. */
export function nameOf(type: TS.Type): string | null {
  const symbol = type.aliasSymbol ?? type.symbol;
  // Internal names (`__type`, `__object`) stand for what has none.
  return symbol === undefined || symbol.name.startsWith("__")
    ? null
    : symbol.name;
}

export function isMessage(type: TS.Type): boolean {
  if (type.symbol?.name === "BaseMessage") return true;
  return baseTypesOf(type).some(isMessage);
}

/** An array of messages, or a union that has one in it. */
export function isMessageList(checker: TS.TypeChecker, type: TS.Type): boolean {
  return membersOf(type).some((member) => {
    const element = elementOf(checker, member);
    return element !== null && membersOf(element).some(isMessage);
  });
}

/** The element type of an array or a readonly array; null for all else. */
export function elementOf(
  checker: TS.TypeChecker,
  type: TS.Type,
): TS.Type | null {
  if (!checker.isArrayType(type)) return null;
  return checker.getTypeArguments(type as TS.TypeReference)[0] ?? null;
}

function baseTypesOf(type: TS.Type): TS.Type[] {
  const { target } = type as Partial<TS.TypeReference>;
  return (target ?? type).getBaseTypes?.() ?? [];
}

/** Whether it is declared by TypeScript's own library or by Node's types, whose classes are not data. */
export function isPlatformType(program: TS.Program, type: TS.Type): boolean {
  const file = type.symbol?.declarations?.[0]?.getSourceFile();
  return (
    file !== undefined &&
    (program.isSourceFileDefaultLibrary(file) ||
      file.fileName.includes("/node_modules/@types/node/"))
  );
}

/**
 * Whether the alias or symbol of the type is worth a definition: not the
 * helpers (`Partial`, `z.infer`) that packages have for making types.
 */
export function isNamedByAuthor(program: TS.Program, type: TS.Type): boolean {
  if (nameOf(type) === null) return false;
  const { aliasSymbol } = type;
  if (aliasSymbol === undefined) return !isPlatformType(program, type);
  if (!type.aliasTypeArguments?.length) return true;
  const file = aliasSymbol.declarations?.[0]?.getSourceFile();
  return file !== undefined && !file.fileName.includes("/node_modules/");
}

/** The type of an optional or readonly property, `undefined` still in it. */
export const propertyType = (
  checker: TS.TypeChecker,
  type: TS.Type,
  name: string,
): TS.Type | null => {
  const property = checker.getPropertyOfType(type, name);
  return property === undefined ? null : checker.getTypeOfSymbol(property);
};
