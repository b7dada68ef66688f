/** `useStream` of `@langchain/langgraph-sdk/react` in a real browser: the page of examples/chat, on an origin of its own. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChatTab } from "../../support/chat-tab.ts";
import { serveChatPage, type ChatPage } from "../../support/chat-page.ts";
import {
  findChromium,
  openChromium,
  type Browser,
} from "../../support/chromium.ts";
import { leaveOut } from "../../support/leave-out.ts";
import { isOnPostgres } from "../../support/postgres.ts";
import { useServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";

/** Slow enough that a page can be loaded again, or an answer be stopped, in the middle. */
const TOKEN_MS = 60;
const WORDS = Array.from({ length: 80 }, (_, n) => `word${n}`).join(" ");
const REPLY = /^You said "(.*)". That was message (\d+) from you/;

const chromium = findChromium();
if (chromium === null)
  leaveOut("useStream in a browser", {
    reason: "no Chromium is installed",
    unless: "SPOOL_REQUIRE_BROWSER",
  });
else driveAll(chromium);

function driveAll(executable: string): void {
  const newest = ["2.0.0", "langgraph-sdk-2"] as const;
  const older = ["1.15.0", "@langchain/langgraph-sdk"] as const;
  // The engine is no matter of the other one, and it takes its time.
  describe.each(isOnPostgres() ? [newest] : [older, newest])(
    "useStream of %s",
    (_, sdk) => {
      drive(executable, sdk);
    },
  );
}

function drive(executable: string, sdk: string): void {
  const server = useServer({ env: { OFFLINE_TOKEN_MS: String(TOKEN_MS) } });
  let site: ChatPage;
  let browser: Browser;

  beforeAll(async () => {
    site = await serveChatPage("chat", sdk);
    browser = await openChromium(executable);
  });
  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  const open = () =>
    ChatTab.open(browser.context, site.url, { api: server.url });

  test("an answer is shown token by token", async () => {
    await using chat = await open();
    await chat.send("one two three four five");
    await chat.answered(1);
    const texts = await chat.textsShown();
    const partial = texts.filter((text) => !REPLY.test(text));
    expect(partial.length).toBeGreaterThan(5);
    for (const [n, text] of partial.entries())
      expect(text.startsWith(partial[n - 1] ?? "")).toBe(true);
    expect(texts.at(-1)).toContain(`You said "one two three four five".`);
    await chat.send("six");
    expect(await chat.answered(2)).toContain(`You said "six"`);
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
    const partial = (await chat.textsShown()).filter(
      (text) => text !== "" && !REPLY.test(text),
    );
    expect(partial.length).toBeGreaterThan(5);
    expect(await server.client.runs.list(await chat.threadId())).toMatchObject([
      { status: "success" },
    ]);
  });

  test.each([
    ["Approve", "The mailbox says: sent to Ada."],
    ["Reject", "The mailbox says: not sent, because it was not approved."],
  ])("a person answers an interrupt: %s", async (button, answer) => {
    await using chat = await open();
    await chat.send("Please send an email to Ada: Lunch at noon");
    await chat.question.getByText("Send this email?").waitFor();
    expect(await chat.question.textContent()).toContain("Lunch at noon");
    // It is still asked by a page that has just been loaded.
    await chat.reload();
    await chat.question.getByRole("button", { name: button }).click();
    await chat.textContains(answer);
    await chat.isIdle();
    expect(await chat.question.count()).toBe(0);
    const thread = await server.client.threads.get(await chat.threadId());
    expect(thread.status).toBe("idle");
  });

  test("an earlier message is edited, and both branches can be gone back to", async () => {
    await using chat = await open();
    await chat.send("first");
    await chat.answered(1);
    await chat.send("second");
    await chat.answered(2);
    await chat.edit("first", "changed");
    await chat.textContains(`You said "changed"`);
    await chat.isIdle();
    // The other branch has its own continuation, this one has none.
    expect(await chat.humanTexts()).toEqual(["changed"]);
    await chat.page.getByText("2 of 2").waitFor();

    await chat.page.getByRole("button", { name: "Previous" }).click();
    await chat.page.getByText("1 of 2").waitFor();
    expect(await chat.humanTexts()).toEqual(["first", "second"]);

    // What is said now continues the branch that is shown.
    await chat.send("third");
    expect(await chat.answered(3)).toContain(`You said "third"`);
    await chat.isIdle();
    expect(await chat.humanTexts()).toEqual(["first", "second", "third"]);
    await chat.page.getByRole("button", { name: "Next" }).click();
    await chat.page.getByText("2 of 2").waitFor();
    expect(await chat.humanTexts()).toEqual(["changed"]);
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
