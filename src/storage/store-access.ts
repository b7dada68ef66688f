import { accessPattern, type AccessFilter } from "../model/access.ts";
import type { Dialect } from "./dialect.ts";
import { and, raw, sql, type Sql } from "./sql.ts";

/*
 * An access filter on store items is matched against
 * `{...value, namespace, key}`, which no column holds: the filter is taken
 * apart and each part asked of its column.
 */

/** Condition that the caller may see the item. Every statement on items has one. */
export function visibleItem(dialect: Dialect, access: AccessFilter): Sql {
  if (access === null) return raw("1 = 1");
  const { namespace, key, ...members } = accessPattern(access);
  const conditions = [dialect.jsonContains(raw("store_items.value"), members)];
  if (namespace !== undefined) conditions.push(named(dialect, namespace));
  if (key !== undefined)
    conditions.push(
      dialect.jsonContains(dialect.jsonString(raw("store_items.key")), key),
    );
  return and(conditions);
}

/** The same where nothing but the namespace is known: whatever else the filter asks for is not there. */
export function visibleNamespace(dialect: Dialect, access: AccessFilter): Sql {
  if (access === null) return raw("1 = 1");
  const { namespace, ...others } = accessPattern(access);
  if (Object.keys(others).length > 0) return raw("1 = 0");
  return namespace === undefined ? raw("1 = 1") : named(dialect, namespace);
}

/** No label has a period, and no escape in a JSON string either, so each period is between two labels. */
function named(dialect: Dialect, wanted: unknown): Sql {
  const text = dialect.jsonString(raw("store_items.namespace"));
  return dialect.jsonContains(
    sql`'[' || replace(${text}, '.', '","') || ']'`,
    wanted,
  );
}
