import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { VERSION } from "../../lib/package-version.ts";
import type { MountRoutes } from "../deps.ts";

const asset = (name: string): string =>
  readFileSync(new URL(`../docs/${name}`, import.meta.url), "utf8");

const hash = (text: string): string =>
  `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

/** The API as OpenAPI, and a page that shows it. The page is one file: it asks nobody but us for anything. */
export function docsRoutes(): MountRoutes {
  return (app) => {
    let document: unknown; // made once: the routes do not change
    app.get("/openapi.json", (c) => {
      document ??= app.getOpenAPI31Document({
        openapi: "3.1.0",
        info: {
          title: "Spool",
          version: VERSION,
          description:
            "The open agent server: LangGraph graphs as durable threads.",
          license: {
            name: "Apache-2.0",
            url: "https://www.apache.org/licenses/LICENSE-2.0",
          },
        },
      });
      return c.json(document);
    });

    const page = docsPage();
    app.get("/docs", (c) =>
      c.html(page.html, 200, { "Content-Security-Policy": page.policy }),
    );
  };
}

function docsPage(): { html: string; policy: string } {
  const style = asset("docs.css");
  const script = asset("docs.js");
  return {
    // Functions as replacements: in a string, `$&` and the like would mean something.
    html: asset("docs.html")
      .replace(
        '<link rel="stylesheet" href="docs.css" />',
        () => `<style>${style}</style>`,
      )
      .replace(
        '<script src="docs.js"></script>',
        () => `<script>${script}</script>`,
      ),
    policy: `default-src 'none'; connect-src 'self'; style-src ${hash(style)}; script-src ${hash(script)}; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  };
}
