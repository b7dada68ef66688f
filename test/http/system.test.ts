import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Script } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestApp, type TestApp } from "../support/apps.ts";

let server: TestApp;
beforeAll(async () => {
  server = await openTestApp();
});
afterAll(() => server.close());

const get = async (path: string) => {
  const response = await server.app.request(path);
  return { status: response.status, body: await response.json() };
};

const { version } = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
) as { version: string };

describe("health", () => {
  test.each([
    "/",
    "/ok",
    "/ok?check_db=0",
    "/ok?check_db=1",
    "/ok?check_db=True",
  ])("%s is well", async (path) => {
    expect(await get(path)).toEqual({ status: 200, body: { ok: true } });
  });

  test("HEAD works for probes that want no body", async () => {
    const response = await server.app.request("/ok", { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("");
  });

  test("a database that does not answer is told only when it was asked for", async () => {
    const broken = await openTestApp();
    await broken.database.close();
    const checked = await broken.app.request("/ok?check_db=1");
    const plain = await broken.app.request("/ok");
    expect(checked.status).toBe(500);
    expect(await checked.json()).toEqual({
      ok: false,
      detail: "the database does not answer",
    });
    expect(plain.status).toBe(200);
  });
});

test("/info tells versions and what works", async () => {
  const { body } = await get("/info");
  expect(body).toEqual({
    version,
    langgraph_js_version: "1.2.3",
    context: "js",
    flags: {
      assistants: true,
      crons: true,
      langsmith: false,
      langsmith_tracing_replicas: false,
      stream_namespaces: true,
      strict_resume: true,
    },
    metadata: { server: "spool", node: process.version },
  });
});

describe("/openapi.json", () => {
  interface Operation {
    summary?: string;
    tags?: string[];
    parameters?: { name: string; in: string; required?: boolean }[];
    requestBody?: unknown;
    responses: Record<string, unknown>;
  }
  interface Document {
    openapi: string;
    info: Record<string, unknown>;
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, unknown> };
  }
  const document = async () => (await get("/openapi.json")).body as Document;

  test("describes this version", async () => {
    const { openapi, info } = await document();
    expect(openapi).toBe("3.1.0");
    expect(info).toMatchObject({
      title: "Spool",
      version,
      license: { name: "Apache-2.0" },
    });
  });

  test("has every endpoint that is built, with a summary and a tag", async () => {
    const { paths } = await document();
    const operations = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(
        ([method, operation]) => [`${method} ${path}`, operation] as const,
      ),
    );
    const names = operations.map(([name]) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "post /threads",
        "get /threads/{thread_id}/state",
        "post /threads/{thread_id}/runs/stream",
        "get /assistants/{assistant_id}/schemas",
        "put /store/items",
        "get /info",
      ]),
    );
    expect(names.filter((name) => /mcp|a2a/.test(name))).toEqual([]);
    const mute = operations.filter(
      ([, { summary, tags }]) => summary === undefined || tags?.length !== 1,
    );
    expect(mute).toEqual([]);
  });

  test("names every parameter of every path", async () => {
    const { paths } = await document();
    for (const [path, methods] of Object.entries(paths))
      for (const [method, { parameters = [] }] of Object.entries(methods)) {
        const inPath = [...path.matchAll(/\{(.+?)\}/g)].map(([, name]) => name);
        const declared = parameters
          .filter((parameter) => parameter.in === "path")
          .map(({ name }) => name);
        expect([method, path, ...declared]).toEqual([method, path, ...inPath]);
      }
  });

  test("every reference leads somewhere", async () => {
    const whole = await document();
    const references = JSON.stringify(whole).matchAll(
      /"\$ref":"#\/components\/schemas\/([^"]+)"/g,
    );
    for (const [, name = ""] of references)
      expect(Object.keys(whole.components.schemas)).toContain(name);
  });
});

describe("/docs", () => {
  const page = async () => {
    const response = await server.app.request("/docs");
    return {
      type: response.headers.get("content-type"),
      policy: response.headers.get("content-security-policy") ?? "",
      html: await response.text(),
    };
  };

  test("is one page that asks nobody else for anything", async () => {
    const { type, policy, html } = await page();
    expect(type).toContain("text/html");
    expect(html).not.toMatch(/(?:src|href)\s*=\s*["']?(?:https?:)?\/\//i);
    expect(html).not.toMatch(/@import|url\(/);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
  });

  test("its policy allows exactly the script and the style that are in it", async () => {
    const { policy, html } = await page();
    const inline = (tag: string) =>
      new RegExp(`<${tag}>(.*?)</${tag}>`, "s").exec(html)?.[1] ?? "";
    for (const tag of ["script", "style"]) {
      expect(inline(tag).length).toBeGreaterThan(500);
      const digest = createHash("sha256").update(inline(tag)).digest("base64");
      expect(policy).toContain(`${tag}-src 'sha256-${digest}'`);
    }
  });

  test("its script is valid", async () => {
    const { html } = await page();
    const script = /<script>(.*?)<\/script>/s.exec(html)?.[1] ?? "";
    expect(() => new Script(script)).not.toThrow();
  });
});
