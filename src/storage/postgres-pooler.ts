import pg from "pg";
import { isRefusedSetting } from "./postgres-errors.ts";
import { CONNECT_TIMEOUT_MS, patiently } from "./postgres-patience.ts";

/**
 * Whether the address leads to a pooler, which may give each transaction
 * another connection. It tells its clients numbers of its own in the place of
 * those of the backends: the key for a cancel has to lead back to it.
 */
export const leadsToPooler = (uri: string): Promise<boolean> =>
  patiently(async () => {
    const client = new pg.Client({
      connectionString: uri,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: "spool",
    });
    client.on("error", () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>(
        "select pg_backend_pid() as pid",
      );
      // NOTE: the types of `pg` do not have it.
      const { processID } = client as unknown as { processID: number };
      return rows[0]?.pid !== processID;
    } catch (cause) {
      if (!isRefusedSetting(cause)) throw cause;
      throw new Error(
        `the pooler refuses a setting of the address (${(cause as Error).message}): take it out of the address, and make it one of the role (alter role … set …) or of the pooler`,
        { cause },
      );
    } finally {
      await client.end().catch(() => {});
    }
  });
