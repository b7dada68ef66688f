/** JSON text whose members are in the order of their names: Postgres has its own order in documents that it looks into. */
export const sortedJson = (value: unknown): string =>
  JSON.stringify(value, (_key, one: unknown) =>
    typeof one === "object" && one !== null && !Array.isArray(one)
      ? sorted(one)
      : one,
  );

/** Defined, not assigned: a member called `__proto__` is data like any other. */
function sorted(value: object): object {
  const result = Object.create(null) as Record<string, unknown>;
  for (const [name, member] of Object.entries(value).sort(([a], [b]) =>
    a < b ? -1 : 1,
  ))
    result[name] = member;
  return result;
}
