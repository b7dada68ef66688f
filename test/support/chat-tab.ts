import type { BrowserContext, Locator, Page } from "playwright-core";
import { expect } from "vitest";

/** Shorter than a test may take, so that it fails with what it waits for. */
const WAIT_MS = 15_000;

const RECORD_TEXTS = `
  const shown = (window.shown = []);
  new MutationObserver(() => {
    const texts = document.querySelectorAll("li[data-type=ai] p");
    const text = texts[texts.length - 1]?.textContent ?? "";
    if (text !== "" && text !== shown.at(-1)) shown.push(text);
  }).observe(document, { subtree: true, childList: true, characterData: true });
`;

/** The page of a chat example in a browser, as a person sees it. Nothing may go wrong in it unseen. */
export class ChatTab implements AsyncDisposable {
  readonly page: Page;
  readonly #problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.#problems.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.#problems.push(message.text());
    });
  }

  static open(
    context: BrowserContext,
    site: string,
    address: Record<string, string>,
  ): Promise<ChatTab> {
    const query = new URLSearchParams(address).toString();
    return ChatTab.#at(context, `${site}?${query}`);
  }

  static async #at(context: BrowserContext, url: string): Promise<ChatTab> {
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    const tab = new ChatTab(page);
    await page.addInitScript({ content: RECORD_TEXTS });
    await page.goto(url);
    return tab;
  }

  /** On the same thread. */
  openAnother(): Promise<ChatTab> {
    return ChatTab.#at(this.page.context(), this.page.url());
  }

  get question(): Locator {
    return this.page.getByRole("region", { name: "Question" });
  }

  async send(text: string): Promise<void> {
    await this.page.getByLabel("Message", { exact: true }).fill(text);
    await this.page.getByRole("button", { name: "Send", exact: true }).click();
  }

  async edit(from: string, to: string): Promise<void> {
    const message = this.page.locator("li").filter({ hasText: from }).first();
    await message.getByRole("button", { name: "Edit" }).click();
    await this.page.getByLabel("Edited message").fill(to);
    await this.page.getByRole("button", { name: "Save" }).click();
  }

  /** Problems that a test has made itself are none. */
  async without(
    problem: RegExp,
    action: () => Promise<unknown>,
  ): Promise<void> {
    await action();
    const others = this.#problems.filter((text) => !problem.test(text));
    this.#problems.splice(0, this.#problems.length, ...others);
  }

  async reload(): Promise<void> {
    await this.page.reload();
  }

  /** The whole answer to the message of this number. */
  async answered(number: number): Promise<string> {
    await this.textContains(`That was message ${number} from you`);
    await this.isIdle();
    return this.lastText();
  }

  async textContains(text: string): Promise<void> {
    const item = this.page.locator("li[data-type=ai] p", { hasText: text });
    await item.last().waitFor();
  }

  async isIdle(): Promise<void> {
    await this.page.locator("ol[aria-busy=false]").waitFor();
  }

  async lastText(): Promise<string> {
    const texts = this.page.locator("li p");
    return (await texts.last().textContent()) ?? "";
  }

  humanTexts(): Promise<string[]> {
    return this.page.locator("li[data-type=human] p").allTextContents();
  }

  aiTexts(): Promise<string[]> {
    return this.page.locator("li[data-type=ai] p").allTextContents();
  }

  /** All that is said, by whomever. */
  allTexts(): Promise<string[]> {
    return this.page.locator("li").allTextContents();
  }

  /** What the last answer was, whenever it changed since the page was loaded. */
  textsShown(): Promise<string[]> {
    return this.page.evaluate("window.shown");
  }

  async threadId(): Promise<string> {
    return new URL(this.page.url()).searchParams.get("thread") ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.close();
    expect(this.#problems).toEqual([]);
  }
}
