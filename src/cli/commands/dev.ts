import type { Flags } from "../../config/config.ts";
import { readEnv } from "../../config/env.ts";
import { loadConfig } from "../../config/load.ts";
import { openBrowser } from "../open-browser.ts";
import { serve } from "../serve.ts";

export async function dev(flags: Flags & { browser: boolean }): Promise<void> {
  await serve({
    ...loadConfig("dev", flags),
    onListening: ({ url }) => {
      const isTerminal = process.stdout.isTTY === true;
      if (flags.browser)
        openBrowser(`${url}/docs`, { env: readEnv(), isTerminal });
    },
  });
}
