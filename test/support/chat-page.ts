/** A chat page, bundled with the one or the other SDK and served on an origin of its own. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, type PluginOption, type Rolldown } from "vite";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The SDK of the clients' packages. */
const SDK = "@langchain/langgraph-sdk";

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
};

export interface ChatPage extends AsyncDisposable {
  url: string;
}

export interface PageOptions {
  /** The name under which the SDK is installed here; without, the page has that which its own packages ask for. */
  sdk?: string | undefined;
  /** What its sources need beside Vite itself. */
  plugins?: PluginOption;
}

/** The page of a folder in examples/, or of one with a whole path. */
export async function serveChatPage(
  folder: string,
  options: PageOptions = {},
): Promise<ChatPage> {
  const files = await bundle(resolve(ROOT, "examples", folder), options);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://page");
    const name = pathname === "/" ? "index.html" : pathname.slice(1);
    const content = files.get(name);
    const type = TYPES[name.split(".").at(-1) ?? ""];
    if (content === undefined || type === undefined)
      response.writeHead(404).end();
    else response.writeHead(200, { "content-type": type }).end(content);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Path -> content. */
async function bundle(
  root: string,
  { sdk, plugins = [] }: PageOptions,
): Promise<Map<string, string | Uint8Array>> {
  const built = (await build({
    root,
    configFile: false,
    logLevel: "error",
    mode: "production",
    build: { write: false },
    plugins: [plugins, sdk === undefined ? [] : withSdk(sdk)],
  })) as Rolldown.RolldownOutput;
  return new Map(
    built.output.map((file) => [
      file.fileName,
      file.type === "chunk" ? file.code : file.source,
    ]),
  );
}

/** Wherever the SDK is imported from, it is the one that this project has under that name. */
const withSdk = (sdk: string): Plugin => ({
  name: "with-sdk",
  enforce: "pre",
  resolveId(source) {
    if (source !== SDK && !source.startsWith(`${SDK}/`)) return null;
    const meant = sdk + source.slice(SDK.length);
    return this.resolve(meant, join(ROOT, "index.js"), { skipSelf: true });
  },
});
