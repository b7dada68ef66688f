import type TS from "typescript";
import { propertyType } from "./type-facts.ts";

/** The types that a compiled graph carries. Null: the graph's type does not say. */
export interface GraphTypes {
  state: TS.Type | null;
  input: TS.Type | null;
  output: TS.Type | null;
  context: TS.Type | null;
}

/** A promise of a function that returns a wrapped builder … : nobody goes further than this. */
const MAX_WRAPPINGS = 8;

/**
 * The compiled graph inside of what a file may export: the graph itself, a
 * builder, an object with `.graph`, a function that returns one, a promise.
 * Null when there is none.
 */
export function compiledGraphType(
  checker: TS.TypeChecker,
  exported: TS.Type,
): TS.Type | null {
  let type: TS.Type | null = exported;
  for (let i = 0; type !== null && i < MAX_WRAPPINGS; i++) {
    type = checker.getAwaitedType(type) ?? type;
    if (isGraphType(checker, type)) return type;
    type = unwrap(checker, type);
  }
  return null;
}

/** By the members that LangGraph declares to carry types: whichever copy or version of it the project has. */
export const isGraphType = (checker: TS.TypeChecker, type: TS.Type): boolean =>
  checker.getPropertyOfType(type, "~InputType") !== undefined &&
  checker.getPropertyOfType(type, "lg_is_pregel") !== undefined;

function unwrap(checker: TS.TypeChecker, type: TS.Type): TS.Type | null {
  const called = type.getCallSignatures().at(-1);
  if (called !== undefined) return checker.getReturnTypeOfSignature(called);
  const compile = propertyType(checker, type, "compile");
  const compiled = compile?.getCallSignatures().at(-1);
  if (compiled !== undefined) return checker.getReturnTypeOfSignature(compiled);
  return propertyType(checker, type, "graph");
}

export function graphTypes(
  checker: TS.TypeChecker,
  graph: TS.Type,
): GraphTypes {
  return {
    state: propertyType(checker, graph, "~RunOutput"),
    input: propertyType(checker, graph, "~InputType"),
    output: propertyType(checker, graph, "~OutputType"),
    context: contextType(checker, graph),
  };
}

/** `context` of what `invoke` takes; null when the graph declares none, where it is a record of anything. */
function contextType(checker: TS.TypeChecker, graph: TS.Type): TS.Type | null {
  const invoke = propertyType(checker, graph, "invoke")?.getCallSignatures()[0];
  const parameter = invoke?.parameters[1];
  if (parameter === undefined) return null;
  const options = checker.getNonNullableType(
    checker.getTypeOfSymbol(parameter),
  );
  const found = propertyType(checker, options, "context");
  if (found === null) return null;
  const context = checker.getNonNullableType(found);
  return checker.getPropertiesOfType(context).length === 0 ? null : context;
}
