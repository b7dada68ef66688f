/*
 * The worker program: `node main.js [<file>...]`, with the project's directory
 * as the working directory and the server at the other end of descriptor 3.
 * The files are those of the graphs; LangChain is taken from where they would
 * find it. Ends when the pipe closes, whatever becomes of the server.
 */
import { register } from "node:module";
import { Socket } from "node:net";
import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";

const PIPE_FD = 3;

// Before anything that imports LangChain: a module keeps what it has imported.
register(`./langchain-hooks${extname(import.meta.url)}`, import.meta.url, {
  data: {
    ours: new URL("../", import.meta.url).href,
    importers: [
      ...process.argv.slice(2),
      join(process.cwd(), "langgraph.json"),
    ].map((file) => pathToFileURL(file).href),
  },
});

const { Pipe } = await import("../protocol/pipe.ts");
const { serveWorker } = await import("./worker.ts").catch(exitWithoutLangChain);

const worker = serveWorker(
  new Pipe(new Socket({ fd: PIPE_FD, readable: true, writable: true })),
);
worker.prints.capture(process);

// Somebody else's mistake in a timer or an event must not take the other runs of this process along.
process.on("uncaughtException", (error) => worker.prints.error(null, error));
process.on("unhandledRejection", (reason) => worker.prints.error(null, reason));

// Ctrl-C reaches the whole process group, and a service manager's stop every
// process of the service; the server decides what becomes of its workers.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});

await worker.closed;
process.exit(0);

/** One line that helps, instead of a stack through our own files. */
function exitWithoutLangChain(cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException;
  const missing = /'(@langchain\/[^']+)'/.exec(message)?.[1];
  if (code !== "ERR_MODULE_NOT_FOUND" || missing === undefined) throw cause;
  process.stderr.write(
    `${missing} is not installed in ${process.cwd()}; run: npm install @langchain/langgraph @langchain/core\n`,
  );
  process.exit(1);
}
