/** `useStream` of `@langchain/svelte`, on the SDK that it pins, in a real browser: one of the bindings that speak the streaming protocol. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { serveChatPage, type ChatPage } from "../../support/chat-page.ts";
import { ChatTab } from "../../support/chat-tab.ts";
import {
  findChromium,
  openChromium,
  type Browser,
} from "../../support/chromium.ts";
import {
  ANSWERS,
  answersAQuestion,
  partsShown,
  seesTokensComeOneByOne,
} from "../../support/conversations.ts";
import { leaveOut } from "../../support/leave-out.ts";
import { useServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";

// Browsers are slow on a loaded machine.
vi.setConfig({ testTimeout: 60_000 });

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const WORDS = Array.from({ length: 120 }, (_, n) => `word${n}`).join(" ");

const chromium = findChromium();
if (chromium === null)
  leaveOut("@langchain/svelte in a browser", {
    reason: "no Chromium is installed",
    unless: "SPOOL_REQUIRE_BROWSER",
  });
else driveAll(chromium);

function driveAll(executable: string): void {
  describe.each(["sse", "websocket"])(
    "@langchain/svelte with %s",
    (transport) => {
      drive(executable, transport);
    },
  );
}

function drive(executable: string, transport: string): void {
  const server = useServer({
    config: join(ROOT, "examples/react-chat/langgraph.json"),
    env: { OFFLINE_TOKEN_MS: "50" },
  });
  let site: ChatPage;
  let browser: Browser;

  beforeAll(async () => {
    site = await serveChatPage(join(ROOT, "test/fixtures/svelte-page"), {
      plugins: svelte({ configFile: false }),
    });
    browser = await openChromium(executable);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  const open = () =>
    ChatTab.open(browser.context, site.url, { api: server.url, transport });

  test("an answer is shown token by token", async () => {
    await using chat = await open();
    await seesTokensComeOneByOne(chat, WORDS);
  });

  test("a page that is loaded again in the middle of an answer shows the rest", async () => {
    await using chat = await open();
    await chat.send(WORDS);
    await chat.textContains("word10 ");
    await chat.reload();
    await chat.textContains("word20 ");
    const [run] = await server.client.runs.list(await chat.threadId());
    expect(run?.status).toBe("running");
    expect(await chat.answered(1)).toContain(`You said "${WORDS}"`);
    expect((await partsShown(chat)).length).toBeGreaterThan(5);
  });

  test.each(ANSWERS)("a person answers an interrupt: %s", async (...answer) => {
    await using chat = await open();
    await answersAQuestion(chat, answer);
    const threadId = await chat.threadId();
    await waitFor("the run has ended", async () => {
      const { status } = await server.client.threads.get(threadId);
      return status === "idle";
    });
  });
}
