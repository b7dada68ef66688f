/** `useStream` of `@langchain/svelte`, on the SDK that it pins, in a real browser: one of the bindings that speak the streaming protocol. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { describe, expect, test, vi } from "vitest";
import { inChromium, useChatPage } from "../../support/chat-browser.ts";
import {
  ANSWERS,
  answersAQuestion,
  partsShown,
  seesTokensComeOneByOne,
} from "../../support/conversations.ts";
import { useServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";

// Browsers are slow on a loaded machine.
vi.setConfig({ testTimeout: 60_000 });

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PAGE = join(ROOT, "test/fixtures/svelte-page");
const WORDS = Array.from({ length: 120 }, (_, n) => `word${n}`).join(" ");

inChromium("@langchain/svelte", () => {
  describe.each(["sse", "websocket"])(
    "@langchain/svelte with %s",
    (transport) => {
      drive(transport);
    },
  );
});

function drive(transport: string): void {
  const server = useServer({
    config: join(ROOT, "examples/react-chat/langgraph.json"),
    env: { OFFLINE_TOKEN_MS: "50" },
  });
  const openTab = useChatPage(PAGE, {
    plugins: svelte({ configFile: false }),
  });

  const open = () => openTab({ api: server.url, transport });

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
