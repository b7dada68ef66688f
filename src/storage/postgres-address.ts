import pg from "pg";
import { isRefusedSetting } from "./postgres-errors.ts";
import { patiently } from "./postgres-patience.ts";
import { TYPES } from "./postgres-types.ts";

const CONNECT_TIMEOUT_MS = 5000;

/** What every connection has. Files that the address names are read here: throws when one is not there. */
export const connectionTo = (uri: string) => ({
  connectionString: asOfLibpq(uri),
  keepAlive: true,
  connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  application_name: "spool",
  types: TYPES,
});

/**
 * An address means what it means to psql and to every other client that is
 * made of libpq: `require` asks for TLS and trusts any certificate, unless an
 * authority is named; `verify-full` checks it. `pg` takes one for the other.
 */
function asOfLibpq(uri: string): string {
  const text = uri.replace("sslrootcert=system", "sslmode=verify-full");
  return /[?&]sslmode=/.test(text) && !/[?&]uselibpqcompat=/.test(text)
    ? `${text}&uselibpqcompat=true`
    : text;
}

/**
 * Whether the address leads to a pooler, which may give each transaction
 * another connection. It tells its clients numbers of its own in the place of
 * those of the backends: the key for a cancel has to lead back to it. Throws
 * what is to be changed in an address that cannot be right.
 */
export const leadsToPooler = (uri: string): Promise<boolean> =>
  patiently(async () => {
    try {
      return await isOfAnother(new pg.Client(connectionTo(uri)));
    } catch (cause) {
      const remedy = remedyFor(cause as Error);
      if (remedy === null) throw cause;
      const { message } = cause as Error;
      throw new Error(`${remedy} (${message})`, { cause });
    }
  });

async function isOfAnother(client: pg.Client): Promise<boolean> {
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ pid: number }>(
      "select pg_backend_pid() as pid",
    );
    // NOTE: the types of `pg` do not have it.
    const { processID } = client as unknown as { processID: number };
    return rows[0]?.pid !== processID;
  } finally {
    await client.end().catch(() => {});
  }
}

const UNTRUSTED =
  /^(SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(GET_ISSUER|VERIFY_LEAF)|CERT_UNTRUSTED)/;

/** What to change; null when it is not the address that is wrong. */
function remedyFor(cause: Error & { code?: string }): string | null {
  const { code = "", message } = cause;
  if (isRefusedSetting(cause))
    return "the pooler refuses a setting in the address of the database: take it out, and make it one of the role (alter role … set …) or of the pooler";
  if (UNTRUSTED.test(code))
    return "the certificate of the database is signed by nobody who is trusted: name the file of its authority in the address, as in ?sslmode=verify-full&sslrootcert=/etc/ssl/database-ca.pem";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "the certificate of the database is for another name: use that one in the address, or sslmode=verify-ca, which does not compare names";
  if (code === "CERT_HAS_EXPIRED")
    return "the certificate of the database has expired: it needs a new one";
  if (message.includes("does not support SSL"))
    return "the address of the database asks for TLS (sslmode), which it does not have: turn on ssl there, or take sslmode out of the address";
  if (/(no encryption|SSL off)$/.test(message))
    return "the database takes connections with TLS only: add ?sslmode=verify-full to its address, or ?sslmode=require, which does not check the certificate";
  if (code === "ENOENT" && message.includes(" open "))
    return "a file that the address of the database names is not there";
  return null;
}
