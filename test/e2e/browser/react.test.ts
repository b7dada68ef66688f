/** `useStream` of `@langchain/react`, which speaks the thread-scoped protocol, in a real browser: the page of examples/react-chat. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test, vi } from "vitest";
import { Cable } from "../../support/cable.ts";
import type { ChatTab } from "../../support/chat-tab.ts";
import { inChromium, useChatPage } from "../../support/chat-browser.ts";
import {
  ANSWERS,
  answersAQuestion,
  goesFromBranchToBranch,
  LETTER,
  partsShown,
  seesTokensComeOneByOne,
} from "../../support/conversations.ts";
import { isOnPostgres } from "../../support/postgres.ts";
import { useServer } from "../../support/server.ts";
import { waitFor } from "../../support/wait.ts";

// Browsers are slow on a loaded machine.
vi.setConfig({ testTimeout: 60_000 });

const EXAMPLE = fileURLToPath(
  new URL("../../../examples/react-chat", import.meta.url),
);

/** Slow enough that a page can be loaded again, or an answer be stopped, in the middle. */
const TOKEN_MS = 50;
const words = (count: number) =>
  Array.from({ length: count }, (_, n) => `word${n}`).join(" ");
const WORDS = words(60);
/** For what has to be seen while it is said, however slow the browser is. */
const MANY_WORDS = words(160);

interface Card {
  state: string;
  text: string;
}

/** What the cards of the subagents showed, whenever that changed: a slow browser is not asked in time. */
const RECORD_CARDS = `
  const moments = (window.cards = []);
  new MutationObserver(() => {
    const cards = [...document.querySelectorAll("section[aria-label=Subagent]")];
    moments.push(cards.map(({ dataset, textContent }) => ({ state: dataset.state, text: textContent })));
  }).observe(document, { subtree: true, childList: true, characterData: true });
`;

inChromium("@langchain/react", () => {
  const asItIs = ["the SDK that it asks for", { transport: "sse" }] as const;
  const others = [
    ["WebSockets", { transport: "websocket" }],
    ["SDK 1.15.0", { transport: "sse", sdk: "@langchain/langgraph-sdk" }],
  ] as const;
  // The engine is no matter of the others, and they take their time.
  describe.each(isOnPostgres() ? [asItIs] : [asItIs, ...others])(
    "@langchain/react with %s",
    (_, options) => {
      drive(options);
    },
  );
});

function drive({ transport, sdk }: { transport: string; sdk?: string }): void {
  const server = useServer({
    config: join(EXAMPLE, "langgraph.json"),
    env: { OFFLINE_TOKEN_MS: String(TOKEN_MS) },
  });
  const openTab = useChatPage("react-chat", { sdk });

  const open = (api = server.url) => openTab({ api, transport });

  const statusesOf = async (chat: ChatTab) => {
    const runs = await server.client.runs.list(await chat.threadId());
    return runs.map(({ status }) => status);
  };

  test("an answer is shown token by token", async () => {
    await using chat = await open();
    await seesTokensComeOneByOne(chat, WORDS);
  });

  test("a page that is loaded again in the middle of an answer shows the rest", async () => {
    await using chat = await open();
    await chat.send(MANY_WORDS);
    await chat.textContains("word10 ");
    const before = await chat.lastText();
    await chat.reload();
    await chat.textContains("word10 ");
    // The run is still at it, and what the page had is there again.
    expect(await statusesOf(chat)).toEqual(["running"]);
    expect(await chat.answered(1)).toContain(`You said "${MANY_WORDS}"`);
    expect((await chat.lastText()).startsWith(before)).toBe(true);
    expect((await partsShown(chat)).length).toBeGreaterThan(5);
    expect(await statusesOf(chat)).toEqual(["success"]);
  });

  test("two pages of a thread show the same, whichever of them is written on", async () => {
    await using one = await open();
    await one.send("hello from the first");
    await one.textContains("You said ");
    await using other = await one.openAnother();
    await other.answered(1);
    await one.answered(1);
    // Each may write, and a page that came when nothing ran is told tokens too.
    await other.send("hello from the other");
    await Promise.all([one.answered(2), other.answered(2)]);
    await other.reload();
    await other.answered(2);
    await one.send(MANY_WORDS);
    await other.textContains("word10 ");
    expect(await statusesOf(one)).toContain("running");
    await Promise.all([one.answered(3), other.answered(3)]);
    expect(await one.allTexts()).toEqual(await other.allTexts());
    await one.edit("hello from the first", "hello again");
    await Promise.all([one.answered(1), other.answered(1)]);
    expect(await other.humanTexts()).toEqual(["hello again"]);
    expect(await one.allTexts()).toEqual(await other.allTexts());
  });

  test.each(ANSWERS)("a person answers an interrupt: %s", async (...answer) => {
    await using chat = await open();
    await answersAQuestion(chat, answer);
    const thread = await server.client.threads.get(await chat.threadId());
    expect(thread.status).toBe("idle");
  });

  test("a question that one page answers is not asked by the other any more", async () => {
    await using one = await open();
    await one.send(LETTER);
    await one.question.waitFor();
    await using other = await one.openAnother();
    await other.question.getByRole("button", { name: "Approve" }).click();
    const answer = "The mailbox says: sent to Ada";
    await Promise.all([one.textContains(answer), other.textContains(answer)]);
    await one.isIdle();
    await one.question.waitFor({ state: "detached" });
  });

  test("subagents work side by side, and each is shown as it goes", async () => {
    await using chat = await open();
    await chat.page.evaluate(RECORD_CARDS);
    await chat.send("Research solar sails");
    await chat.textContains("A helper says: Two doubts about solar sails");
    await chat.isIdle();
    const moments: Card[][] = await chat.page.evaluate("window.cards");
    const isPart = (card: Card | undefined, begin: string, end: string) =>
      card?.state === "running" &&
      card.text.includes(begin) &&
      !card.text.includes(end);
    const seen = {
      researcher: moments.some(([card]) => isPart(card, "Three things", "sources.")), // prettier-ignore
      critic: moments.some(([, card]) => isPart(card, "Two doubts", "left out?")), // prettier-ignore
      both: moments.some(
        (cards) =>
          cards.length === 2 && cards.every(({ state }) => state === "running"),
      ),
    };
    expect(seen).toEqual({ researcher: true, critic: true, both: true });
    const cards = chat.page.getByRole("region", { name: "Subagent" });
    const shown = () => cards.allTextContents();
    const whole = await shown();
    expect(whole).toHaveLength(2);
    expect(whole[0]).toContain("would name its sources.");
    expect(whole[1]).toContain("what was left out?");
    await chat.reload();
    await chat.textContains("A helper says: Two doubts about solar sails");
    expect(await shown()).toEqual(whole);
  });

  test("a tool is shown with what it was asked and what it said", async () => {
    await using chat = await open();
    await chat.send("What is the weather in Lisbon?");
    await chat.textContains("The weather report says: windy, 25 °C");
    const card = chat.page.getByRole("region", { name: "Tool" });
    expect(await card.allTextContents()).toEqual([
      "get_weatherLisbonwindy, 25 °C",
    ]);
  });

  test("an earlier message is edited, and both branches can be gone back to", async () => {
    await using chat = await open();
    await goesFromBranchToBranch(chat, { loadsAgain: true });
  });

  test.each([
    ["by the page that asked", false],
    ["by a page that was loaded meanwhile", true],
  ])(
    "an answer is stopped %s, and the conversation goes on",
    async (_, isLoadedAgain) => {
      await using chat = await open();
      await chat.send(MANY_WORDS);
      await chat.textContains("word5 ");
      if (isLoadedAgain) {
        await chat.reload();
        await chat.textContains("word5 ");
      }
      await chat.page.getByRole("button", { name: "Stop" }).click();
      await chat.isIdle();
      await waitFor("the run has ended", async () => {
        return (await statusesOf(chat))[0] === "interrupted";
      });
      await chat.send("and now?");
      expect(await chat.answered(2)).toContain(`You said "and now?"`);
      expect(await chat.humanTexts()).toEqual([MANY_WORDS, "and now?"]);
      expect(await chat.aiTexts()).toHaveLength(1);
    },
  );

  test("a page that was offline has the whole answer when it comes back", async () => {
    await using cable = await Cable.to(server.url);
    await using chat = await open(cable.url);
    await chat.send(WORDS);
    await chat.textContains("word10 ");
    await chat.without(/ERR_|WebSocket/, async () => {
      await cable.pullOut();
      await waitFor("the run has got ahead of the page", async () => {
        return (await statusesOf(chat))[0] === "success";
      });
      expect(await chat.lastText()).not.toContain("word59");
      await cable.plugIn();
      await chat.answered(1);
    });
    expect(await chat.lastText()).toContain(`You said "${WORDS}"`);
    expect(await chat.page.getByRole("alert").count()).toBe(0);
    await chat.send("and now?");
    expect(await chat.answered(2)).toContain(`You said "and now?"`);
  });

  test("a server that dies in the middle of an answer gives it when it is back", async () => {
    await using chat = await open();
    await chat.send(WORDS);
    await chat.textContains("word10 ");
    await chat.without(/ERR_|WebSocket/, async () => {
      await server.kill9();
      await server.start();
      await chat.answered(1);
    });
    expect(await chat.aiTexts()).toEqual([
      expect.stringContaining(`You said "${WORDS}"`),
    ]);
    expect(await chat.page.getByRole("alert").count()).toBe(0);
    await chat.send("and now?");
    expect(await chat.answered(2)).toContain(`You said "and now?"`);
    expect(await chat.humanTexts()).toEqual([WORDS, "and now?"]);
    expect(await chat.aiTexts()).toHaveLength(2);
  });
}
