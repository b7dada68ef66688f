import type { Config } from "../config/config.ts";

/** Where everything is stored, without a password. */
export function dataPlace({ postgres, dataDir }: Config): string {
  if (postgres === null) return dataDir;
  const { host, pathname } = new URL(postgres.uri);
  return `postgres://${host}${pathname}`;
}
