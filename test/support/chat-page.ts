/** The page of examples/chat, bundled with the one or the other SDK and served on an origin of its own. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build, type Rolldown } from "vite";

const CHAT = fileURLToPath(new URL("../../examples/chat", import.meta.url));

const TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript",
  css: "text/css",
};

export interface ChatPage extends AsyncDisposable {
  url: string;
}

/** `sdk` is the name under which the SDK is installed here. */
export async function serveChatPage(sdk: string): Promise<ChatPage> {
  const files = await bundle(sdk);
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
async function bundle(sdk: string): Promise<Map<string, string | Uint8Array>> {
  const built = (await build({
    root: CHAT,
    configFile: false,
    logLevel: "error",
    mode: "production",
    build: { write: false },
    resolve: { alias: { "@langchain/langgraph-sdk": sdk } },
  })) as Rolldown.RolldownOutput;
  return new Map(
    built.output.map((file) => [
      file.fileName,
      file.type === "chunk" ? file.code : file.source,
    ]),
  );
}
