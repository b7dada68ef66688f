import { afterAll, beforeAll } from "vitest";
import { serveChatPage, type ChatPage, type PageOptions } from "./chat-page.ts";
import { ChatTab } from "./chat-tab.ts";
import { findChromium, openChromium, type Browser } from "./chromium.ts";
import { leaveOut } from "./leave-out.ts";

/** Tests that need a browser; where there is none they are seen as left out. */
export function inChromium(what: string, define: () => void): void {
  if (findChromium() !== null) return define();
  leaveOut(`${what} in a browser`, {
    reason: "no Chromium is installed",
    unless: "SPOOL_REQUIRE_BROWSER",
  });
}

/** A chat page and a browser for it, while the tests around run. Gives what opens a tab at the page, with these parameters in its address. */
export function useChatPage(
  folder: string,
  options: PageOptions = {},
): (address: Record<string, string>) => Promise<ChatTab> {
  let site: ChatPage;
  let browser: Browser;
  beforeAll(async () => {
    site = await serveChatPage(folder, options);
    browser = await openChromium();
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });
  return (address) => ChatTab.open(browser.context, site.url, address);
}
