import { spawn } from "node:child_process";
import type { Env } from "../config/env.ts";

/** Shows a page to whoever sits at this machine; does nothing when there is nobody or no browser. */
export function openBrowser(
  url: string,
  { env, isTerminal }: { env: Env; isTerminal: boolean },
): void {
  const command = browserCommand(process.platform, env);
  if (!isTerminal || env["CI"] || command === null) return;
  const [program, ...args] = command;
  const child = spawn(program, [...args, url], {
    stdio: "ignore",
    detached: true,
  });
  child.on("error", () => {}); // there is none: the URL is on the screen
  child.unref();
}

/** Null: no browser. */
export function browserCommand(
  platform: NodeJS.Platform,
  env: Env,
): [string, ...string[]] | null {
  const chosen = env["BROWSER"]?.trim();
  if (chosen?.toLowerCase() === "none") return null;
  if (platform === "darwin") return ["open"];
  if (platform === "win32") return ["cmd", "/c", "start", ""];
  // Without a display xdg-open may fall back to a text browser, which would take the terminal.
  if (!env["DISPLAY"] && !env["WAYLAND_DISPLAY"]) return null;
  return [chosen || "xdg-open"];
}
