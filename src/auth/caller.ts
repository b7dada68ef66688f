import { UNRESTRICTED, type AccessFilter } from "../model/access.ts";

/** Who makes a request, and which rows they may see. */
export interface Caller {
  access: AccessFilter;
  /** Headers of the request that graphs may see, by lower-case name. */
  headers?: Readonly<Record<string, string>>;
}

/** Everybody, as long as no `auth` is configured. */
export const ANONYMOUS: Caller = { access: UNRESTRICTED };
