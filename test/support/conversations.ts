import { expect } from "vitest";
import type { ChatTab } from "./chat-tab.ts";

/*
 * What a person does on both chat pages, whichever hook they stand on, and what
 * they must see.
 */

/** How the model of the examples answers. */
export const REPLY = /^You said "(.*)". That was message (\d+) from you/;

/** Of an answer, as far as it was shown before it was whole. */
export async function partsShown(chat: ChatTab): Promise<string[]> {
  const texts = await chat.textsShown();
  return texts.filter((text) => text !== "" && !REPLY.test(text));
}

export async function seesTokensComeOneByOne(
  chat: ChatTab,
  words: string,
): Promise<void> {
  await chat.send(words);
  await chat.answered(1);
  const partial = await partsShown(chat);
  expect(partial.length).toBeGreaterThan(5);
  for (const [n, text] of partial.entries())
    expect(text.startsWith(partial[n - 1] ?? "")).toBe(true);
  const last = (await chat.textsShown()).at(-1);
  expect(last).toContain(`You said "${words}".`);
  await chat.send("six");
  expect(await chat.answered(2)).toContain(`You said "six"`);
}

export const LETTER = "Please send an email to Ada: Lunch at noon";

export const ANSWERS = [
  ["Approve", "sent to Ada"],
  ["Reject", "not sent, because it was not approved"],
] as const;

/** The page is loaded again before the question is answered: it must still be asked. */
export async function answersAQuestion(
  chat: ChatTab,
  [button, answer]: readonly [button: string, answer: string],
): Promise<void> {
  await chat.send(LETTER);
  await chat.question.getByText("Send this email?").waitFor();
  expect(await chat.question.textContent()).toContain("Lunch at noon");
  await chat.reload();
  await chat.question.getByRole("button", { name: button }).click();
  await chat.textContains(`The mailbox says: ${answer}`);
  await chat.isIdle();
  expect(await chat.question.count()).toBe(0);
}

/** Ends on the second branch, of the message "changed". */
export async function goesFromBranchToBranch(
  chat: ChatTab,
  { loadsAgain = false } = {},
): Promise<void> {
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
  if (loadsAgain) {
    await chat.reload();
    await chat.page.getByText("1 of 2").waitFor();
    expect(await chat.humanTexts()).toEqual(["first", "second", "third"]);
  }
  await chat.page.getByRole("button", { name: "Next" }).click();
  await chat.page.getByText("2 of 2").waitFor();
  expect(await chat.humanTexts()).toEqual(["changed"]);
}
