import { createRequire } from "node:module";
import type TypeScript from "typescript";

/** `import` would scan its nine megabytes for the names of exports: half a second more. */
export const ts = createRequire(import.meta.url)(
  "typescript",
) as typeof TypeScript;
