/*
 * Which graph stands behind which node. The type of a builder knows only the
 * names of its nodes, so this reads the source: from the expression that made
 * the graph back along `.addNode(name, action)` to `new StateGraph(…)`.
 */
import type TS from "typescript";
import { ts } from "./typescript.ts";
import { compiledGraphType, isGraphType } from "./graph-types.ts";

export interface FoundSubgraph {
  name: string;
  type: TS.Type;
  /** The expression that made it; its own subgraphs are found from there. */
  source: TS.Expression;
}

/** Far more than any code that a person wrote; ends cycles of declarations. */
const MAX_STEPS = 200;

/** The subgraphs of the graph that `expression` makes, in the order of their nodes. */
export function findSubgraphs(
  checker: TS.TypeChecker,
  expression: TS.Expression,
): FoundSubgraph[] {
  return addNodeCalls(checker, expression)
    .flatMap(nodesOf)
    .flatMap(({ name, parts }) => {
      const graph = firstGraph(checker, parts);
      return graph === null ? [] : [{ name, ...graph }];
    });
}

/** The expression that gives an exported (or any other) name its value. */
export function sourceOf(
  checker: TS.TypeChecker,
  symbol: TS.Symbol,
): TS.Expression | null {
  const target =
    symbol.flags & ts.SymbolFlags.Alias
      ? checker.getAliasedSymbol(symbol)
      : symbol;
  for (const declaration of target.declarations ?? []) {
    const source = valueOf(declaration);
    if (source !== null) return source;
  }
  return null;
}

function valueOf(declaration: TS.Declaration): TS.Expression | null {
  if (
    ts.isVariableDeclaration(declaration) ||
    ts.isPropertyAssignment(declaration) ||
    ts.isPropertyDeclaration(declaration)
  )
    return declaration.initializer ?? null;
  if (ts.isExportAssignment(declaration)) return declaration.expression;
  if (ts.isBinaryExpression(declaration)) return declaration.right; // exports.graph = …
  if (ts.isFunctionLike(declaration)) return returned(declaration);
  return null;
}

/** What a function returns last: its whole result, if it is an arrow without a body. */
function returned(node: TS.SignatureDeclaration): TS.Expression | null {
  const { body } = node as TS.FunctionLikeDeclaration;
  if (body === undefined) return null;
  if (!ts.isBlock(body)) return body;
  let last: TS.Expression | null = null;
  const visit = (child: TS.Node): void => {
    if (ts.isFunctionLike(child)) return;
    if (ts.isReturnStatement(child)) last = child.expression ?? last;
    ts.forEachChild(child, visit);
  };
  ts.forEachChild(body, visit);
  return last;
}

/** Every `addNode` call on the builder behind the expression. */
function addNodeCalls(
  checker: TS.TypeChecker,
  expression: TS.Expression,
): TS.CallExpression[] {
  const calls: TS.CallExpression[] = [];
  const seen = new Set<TS.Node>();
  const walk = (node: TS.Expression | null): void => {
    if (node === null || seen.has(node) || seen.size > MAX_STEPS) return;
    seen.add(node);
    const bare = unwrapped(node);
    if (bare !== node) return walk(bare);
    if (ts.isIdentifier(bare)) {
      const symbol = checker.getSymbolAtLocation(bare);
      if (symbol === undefined) return;
      walk(sourceOf(checker, symbol));
      // `builder.addNode(…)` as a statement of its own.
      calls.push(...callsOn(checker, symbol));
    } else if (ts.isFunctionLike(bare)) walk(returned(bare));
    else if (ts.isObjectLiteralExpression(bare)) walk(memberOf(bare, "graph"));
    else if (ts.isCallExpression(bare)) {
      const { expression: callee } = bare;
      if (!ts.isPropertyAccessExpression(callee)) return walk(callee);
      walk(callee.expression);
      if (callee.name.text === "addNode") calls.push(bare);
    } else if (ts.isPropertyAccessExpression(bare)) walk(bare.expression);
  };
  walk(expression);
  return [...new Set(calls)];
}

function unwrapped(node: TS.Expression): TS.Expression {
  if (
    ts.isAwaitExpression(node) ||
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node)
  )
    return node.expression;
  return node;
}

function memberOf(
  object: TS.ObjectLiteralExpression,
  name: string,
): TS.Expression | null {
  for (const property of object.properties) {
    if (property.name?.getText() !== name) continue;
    if (ts.isPropertyAssignment(property)) return property.initializer;
    if (ts.isShorthandPropertyAssignment(property)) return property.name;
  }
  return null;
}

/** The chains `name.addNode(…).addNode(…)` in the file where the name is declared. */
function callsOn(
  checker: TS.TypeChecker,
  symbol: TS.Symbol,
): TS.CallExpression[] {
  const file = symbol.declarations?.[0]?.getSourceFile();
  if (file === undefined || file.isDeclarationFile) return [];
  const calls: TS.CallExpression[] = [];
  const visit = (node: TS.Node): void => {
    ts.forEachChild(node, visit); // what is inside was called first
    if (!ts.isCallExpression(node)) return;
    const { expression: callee } = node;
    if (!ts.isPropertyAccessExpression(callee)) return;
    if (callee.name.text !== "addNode") return;
    const root = receiver(callee.expression);
    if (ts.isIdentifier(root) && checker.getSymbolAtLocation(root) === symbol)
      calls.push(node);
  };
  visit(file);
  return calls;
}

function receiver(node: TS.Expression): TS.Expression {
  const bare = unwrapped(node);
  if (bare !== node) return receiver(bare);
  return ts.isCallExpression(bare) &&
    ts.isPropertyAccessExpression(bare.expression)
    ? receiver(bare.expression.expression)
    : bare;
}

/** `addNode("a", action, options)`, `addNode({ a: action })`, `addNode([["a", action, options]])`. */
function nodesOf(
  call: TS.CallExpression,
): { name: string; parts: TS.Expression[] }[] {
  const [first, ...rest] = call.arguments;
  if (first === undefined) return [];
  if (ts.isStringLiteralLike(first)) return [{ name: first.text, parts: rest }];
  if (ts.isObjectLiteralExpression(first))
    return first.properties.flatMap((property) => {
      const name = property.name;
      if (name === undefined || ts.isComputedPropertyName(name)) return [];
      const value = memberOf(first, name.getText());
      const text = ts.isStringLiteralLike(name) ? name.text : name.getText();
      return value === null ? [] : [{ name: text, parts: [value] }];
    });
  if (!ts.isArrayLiteralExpression(first)) return [];
  return first.elements.filter(ts.isArrayLiteralExpression).flatMap((entry) => {
    const [name, ...parts] = entry.elements;
    return name !== undefined && ts.isStringLiteralLike(name)
      ? [{ name: name.text, parts }]
      : [];
  });
}

/** The first expression, from the outside in, that is a graph: the action, a part of a sequence, an element of `subgraphs`. */
function firstGraph(
  checker: TS.TypeChecker,
  parts: TS.Expression[],
): { type: TS.Type; source: TS.Expression } | null {
  for (const part of parts) {
    const queue: TS.Node[] = [part];
    for (const node of queue) {
      if (ts.isExpression(node)) {
        const type = checker.getTypeAtLocation(node);
        if (isGraphType(checker, type)) return { type, source: node };
        const factory = ts.isCallExpression(node)
          ? compiledGraphType(checker, type)
          : null;
        if (factory !== null) return { type: factory, source: node };
      }
      ts.forEachChild(node, (child) => void queue.push(child));
    }
  }
  return null;
}
