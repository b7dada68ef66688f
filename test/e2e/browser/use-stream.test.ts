/** `useStream` of `@langchain/langgraph-sdk/react` in a real browser: the page of examples/chat, on an origin of its own. */
import { describe, expect, test } from "vitest";
import { inChromium, useChatPage } from "../../support/chat-browser.ts";
import {
  ANSWERS,
  answersAQuestion,
  goesFromBranchToBranch,
  partsShown,
  seesTokensComeOneByOne,
} from "../../support/conversations.ts";
import { isOnPostgres } from "../../support/postgres.ts";
import { useServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";

/** Slow enough that a page can be loaded again, or an answer be stopped, in the middle. */
const TOKEN_MS = 60;
const WORDS = Array.from({ length: 80 }, (_, n) => `word${n}`).join(" ");

inChromium("useStream", () => {
  const newest = ["2.0.0", "langgraph-sdk-2"] as const;
  const older = ["1.15.0", "@langchain/langgraph-sdk"] as const;
  // The engine is no matter of the other one, and it takes its time.
  describe.each(isOnPostgres() ? [newest] : [older, newest])(
    "useStream of %s",
    (_, sdk) => {
      drive(sdk);
    },
  );
});

function drive(sdk: string): void {
  const server = useServer({ env: { OFFLINE_TOKEN_MS: String(TOKEN_MS) } });
  const openTab = useChatPage("chat", { sdk });

  const open = () => openTab({ api: server.url });

  test("an answer is shown token by token", async () => {
    await using chat = await open();
    await seesTokensComeOneByOne(chat, "one two three four five");
  });

  test("a page that is loaded again in the middle of an answer shows the rest", async () => {
    await using chat = await open();
    await chat.send(WORDS);
    await chat.textContains("word10 ");
    const before = await chat.lastText();
    await chat.reload();
    await chat.textContains("word10 ");
    // The run is still at it, and what the page had is there again.
    const runs = await server.client.runs.list(await chat.threadId());
    expect(runs).toMatchObject([{ status: "running" }]);
    await chat.answered(1);
    expect(await chat.lastText()).toContain(`You said "${WORDS}"`);
    expect((await chat.lastText()).startsWith(before)).toBe(true);
    expect((await partsShown(chat)).length).toBeGreaterThan(5);
    expect(await server.client.runs.list(await chat.threadId())).toMatchObject([
      { status: "success" },
    ]);
  });

  test.each(ANSWERS)("a person answers an interrupt: %s", async (...answer) => {
    await using chat = await open();
    await answersAQuestion(chat, answer);
    const thread = await server.client.threads.get(await chat.threadId());
    expect(thread.status).toBe("idle");
  });

  test("an earlier message is edited, and both branches can be gone back to", async () => {
    await using chat = await open();
    await goesFromBranchToBranch(chat);
  });

  test("an answer is stopped, and the conversation goes on", async () => {
    await using chat = await open();
    await chat.send(WORDS);
    await chat.textContains("word5 ");
    await chat.page.getByRole("button", { name: "Stop" }).click();
    await chat.isIdle();
    const threadId = await chat.threadId();
    await waitFor("the run has ended", async () => {
      const [run] = await server.client.runs.list(threadId);
      return run?.status === "interrupted";
    });
    // Of the step that was stopped nothing is kept.
    await chat.reload();
    await chat.page.getByText(WORDS).waitFor();
    expect(await chat.aiTexts()).toEqual([]);
    await chat.page.getByRole("button", { name: "Continue" }).click();
    expect(await chat.answered(1)).toContain(`You said "${WORDS}"`);
    await chat.send("and now?");
    expect(await chat.answered(2)).toContain(`You said "and now?"`);
  });
}
