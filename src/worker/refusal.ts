/** A request that the server may answer its client with: the code is one of model/errors.ts. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code:
    "bad_request" | "not_found" | "invalid" | "conflict" | "unavailable";

  constructor(code: Refusal["code"], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
