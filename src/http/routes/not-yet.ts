import { AppError } from "../../model/errors.ts";
import type { MountRoutes } from "../deps.ts";

/**
 * What the contract has and this version does not: 501 with a sentence, so
 * that nobody takes it for a wrong address. Whoever builds one of them takes
 * its line away.
 */
export const NOT_YET: readonly [what: string, ...routes: string[]][] = [
  [
    "MCP",
    "POST /mcp",
    "GET /mcp",
    "DELETE /mcp",
    "POST /mcp/",
    "GET /mcp/",
    "DELETE /mcp/",
  ],
  [
    "A2A",
    "POST /a2a/:assistant_id",
    "GET /a2a/:assistant_id/.well-known/agent-card.json",
    "GET /.well-known/agent-card.json",
  ],
  ["Generative UI", "POST /ui/:namespace", "GET /ui/:namespace/:file"],
];

export function notYetRoutes(): MountRoutes {
  return (app) => {
    for (const [what, ...routes] of NOT_YET)
      for (const route of routes) {
        const [method = "", path = ""] = route.split(" ");
        app.on(method, path, () => {
          throw new AppError(
            "not_implemented",
            `${what} arrives with a later version of Spool`,
          );
        });
      }
  };
}
