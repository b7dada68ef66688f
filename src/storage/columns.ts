/**
 * SQLite keeps JSON, timestamps and booleans in TEXT and INTEGER. A column
 * name means one thing in every table, so its name alone says how a value is
 * read back. An expression in a select gets its decoding by its alias.
 */
const JSON_COLUMNS = [
  "metadata",
  "config",
  "context",
  "values",
  "interrupts",
  "error",
  "kwargs",
  "info",
  "checkpoint",
  "channels",
  "value",
  "index_paths",
  "rest_graph",
  "headers",
  "payload",
];

const TIMESTAMP_COLUMNS = [
  "created_at",
  "updated_at",
  "state_updated_at",
  "expires_at",
  "run_at",
  "started_at",
  "finished_at",
  "lease_until",
  "end_time",
  "next_run_date",
  "scheduled_at",
  "fired_at",
  "next_attempt_at",
  "give_up_at",
  "delivered_at",
  "clock",
];

const BOOLEAN_COLUMNS = [
  "temporary",
  "input_applied",
  "keeps_events",
  "values_paged",
  "enabled",
  "has_ready",
  "has_expired",
  "has_cancelled",
  "has_due",
  "has_checkpoints",
];

/** What a column holds whatever the engine; null: text, a number or bytes. */
export function columnKind(
  name: string,
): "json" | "timestamp" | "boolean" | null {
  if (JSON_COLUMNS.includes(name)) return "json";
  if (TIMESTAMP_COLUMNS.includes(name)) return "timestamp";
  return BOOLEAN_COLUMNS.includes(name) ? "boolean" : null;
}

type Decode = (value: unknown) => unknown;

const DECODERS: ReadonlyMap<string, Decode> = new Map([
  ...JSON_COLUMNS.map(
    (name) => [name, (value: unknown) => JSON.parse(String(value))] as const,
  ),
  ...TIMESTAMP_COLUMNS.map(
    (name) =>
      [
        name,
        (value: unknown) => new Date(Number(value)).toISOString(),
      ] as const,
  ),
  ...BOOLEAN_COLUMNS.map(
    (name) => [name, (value: unknown) => value === 1] as const,
  ),
]);

/** A row as SQLite gives it, decoded in place. */
export function decodeRow(row: Record<string, unknown>): void {
  for (const name in row) {
    const decode = DECODERS.get(name);
    if (decode !== undefined && row[name] !== null)
      row[name] = decode(row[name]);
  }
}
