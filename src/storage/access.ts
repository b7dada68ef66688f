import { accessPattern, type AccessFilter } from "../model/access.ts";
import type { Dialect } from "./dialect.ts";
import { raw, type Sql } from "./sql.ts";

/** The condition that the caller may see the row whose metadata is `column`. Every statement on threads, runs and assistants has one. */
export const visible = (
  dialect: Dialect,
  column: Sql,
  access: AccessFilter,
): Sql =>
  access === null
    ? raw("1 = 1")
    : dialect.jsonContains(column, accessPattern(access));
