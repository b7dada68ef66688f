import { expect, test } from "vitest";
import type { Driven } from "./driven.ts";

/** Goes last: what no suite has called would be taken for a method that the client does not have. */
export function everythingCalledSuite(driven: Driven): void {
  test("every method of the client was called", () => {
    const methods = Object.entries(driven.unrecorded())
      .filter(([, resource]) => typeof resource === "object")
      .flatMap(([name, resource]) => methodsOf(name, resource as object));
    const { called } = driven.record;
    expect(methods.filter((method) => !called.has(method))).toEqual([]);
  });
}

const methodsOf = (name: string, resource: object): string[] =>
  Object.getOwnPropertyNames(Object.getPrototypeOf(resource))
    .filter((method) => method !== "constructor")
    .map((method) => `${name}.${method}`);
