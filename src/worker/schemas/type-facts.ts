import ts from "typescript";

/** Questions about types that the checker has no single answer for. */

export const hasFlag = (type: ts.Type, flag: ts.TypeFlags): boolean =>
  (type.flags & flag) !== 0;

/** The members of a union, or the type itself. */
export const membersOf = (type: ts.Type): ts.Type[] =>
  type.isUnion() ? type.types : [type];

/** `undefined`, `void`: not a value in JSON. */
export const isAbsent = (type: ts.Type): boolean =>
  hasFlag(type, ts.TypeFlags.Undefined | ts.TypeFlags.Void);

/** LangGraph adds `OverwriteValue<T>` to what a reducer takes; nobody fills that into a form. */
export const isOverwrite = (type: ts.Type): boolean =>
  nameOf(type) === "OverwriteValue" || nameOf(type) === "Overwrite";

/** The name that its author gave the type: of its alias, else of its class or interface. */
export function nameOf(type: ts.Type): string | null {
  const symbol = type.aliasSymbol ?? type.symbol;
  // Internal names (`__type`, `__object`) stand for what has none.
  return symbol === undefined || symbol.name.startsWith("__")
    ? null
    : symbol.name;
}

export function isMessage(type: ts.Type): boolean {
  if (type.symbol?.name === "BaseMessage") return true;
  return baseTypesOf(type).some(isMessage);
}

/** An array of messages, or a union that has one in it. */
export function isMessageList(checker: ts.TypeChecker, type: ts.Type): boolean {
  return membersOf(type).some((member) => {
    const element = elementOf(checker, member);
    return element !== null && membersOf(element).some(isMessage);
  });
}

/** The element type of an array or a readonly array; null for all else. */
export function elementOf(
  checker: ts.TypeChecker,
  type: ts.Type,
): ts.Type | null {
  if (!checker.isArrayType(type)) return null;
  return checker.getTypeArguments(type as ts.TypeReference)[0] ?? null;
}

function baseTypesOf(type: ts.Type): ts.Type[] {
  const { target } = type as Partial<ts.TypeReference>;
  return (target ?? type).getBaseTypes?.() ?? [];
}

/** Whether it is declared by TypeScript's own library or by Node's types, whose classes are not data. */
export function isPlatformType(program: ts.Program, type: ts.Type): boolean {
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
export function isNamedByAuthor(program: ts.Program, type: ts.Type): boolean {
  if (nameOf(type) === null) return false;
  const { aliasSymbol } = type;
  if (aliasSymbol === undefined) return !isPlatformType(program, type);
  if (!type.aliasTypeArguments?.length) return true;
  const file = aliasSymbol.declarations?.[0]?.getSourceFile();
  return file !== undefined && !file.fileName.includes("/node_modules/");
}

/** The type of an optional or readonly property, `undefined` still in it. */
export const propertyType = (
  checker: ts.TypeChecker,
  type: ts.Type,
  name: string,
): ts.Type | null => {
  const property = checker.getPropertyOfType(type, name);
  return property === undefined ? null : checker.getTypeOfSymbol(property);
};
