/** The shape of one method: what goes in, what comes back. */
export interface Method<Params, Result> {
  params: Params;
  result: Result;
}

export type Methods = Record<string, Method<unknown, unknown>>;
export type Notices = Record<string, unknown>;
