import type { z } from "@hono/zod-openapi";
import { AppError } from "../model/errors.ts";

type Issue = z.core.$ZodIssue;

interface FieldError {
  /** `supersteps[0].updates[1].as_node`; `body` for the body as a whole. */
  field: string;
  message: string;
}

/** A body with a million wrong items is told about the first of them. */
const MAX_ERRORS = 20;

/** The 422 for what zod did not like. `root` names the value itself: `body`, `query`. */
export function validationError(
  issues: readonly Issue[],
  root: string,
): AppError {
  const errors = issues
    .slice(0, MAX_ERRORS) // each is one error at least
    .flatMap((issue) => fieldErrors(issue, []))
    .slice(0, MAX_ERRORS)
    .map(({ path, message }) => ({ field: fieldName(path, root), message }));
  return new AppError("invalid", describe(errors), { details: { errors } });
}

const describe = (errors: readonly FieldError[]): string =>
  errors.map(({ field, message }) => `${field}: ${message}`).join("; ");

type Path = readonly PropertyKey[];

interface Located {
  path: Path;
  message: string;
}

function fieldErrors(issue: Issue, prefix: Path): Located[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === "invalid_union" && issue.errors.length > 0)
    return unionErrors(issue.errors, path);
  if (issue.code === "invalid_key")
    return issue.issues.flatMap((inner) => fieldErrors(inner, path));
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: "unknown",
    }));
  return [{ path, message: reason(issue) }];
}

/** The branch that came furthest is the one that was meant; when none came anywhere, all that would do. */
function unionErrors(branches: readonly Issue[][], path: Path): Located[] {
  const located = branches.map((issues) =>
    issues.flatMap((issue) => fieldErrors(issue, path)),
  );
  const meant = located.find((errors) =>
    errors.every((error) => error.path.length > path.length),
  );
  if (meant !== undefined) return meant;
  const messages = new Set(
    located
      .flat()
      .map((error) => error.message.replace(/^(?:expected|must be) /, "")),
  );
  return [{ path, message: `expected ${[...messages].join(" or ")}` }];
}

/** zod's English without its preamble. */
function reason(issue: Issue): string {
  if (issue.code === "invalid_value")
    return `must be ${issue.values.length > 1 ? "one of " : ""}${issue.values.map(String).join(", ")}`;
  const message = issue.message.replace(/^Invalid input: /, "");
  if (issue.code === "invalid_type" && message.endsWith("received undefined"))
    return "required";
  return message
    .replace(/, received .*$/, "")
    .replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
}

function fieldName(path: Path, root: string): string {
  if (path.length === 0) return root;
  return path.reduce<string>((name, part) => {
    if (typeof part === "number")
      return `${name === "" ? root : name}[${part}]`;
    return name === "" ? String(part) : `${name}.${String(part)}`;
  }, "");
}
