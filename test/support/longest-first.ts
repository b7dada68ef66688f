import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Where the files are that take longest. */
const LONGEST = [
  "test/docs",
  "test/e2e/clients",
  "test/e2e/browser",
  "test/postgres/chaos",
  "test/chaos",
  "test/postgres",
  "test/e2e",
];

/** The order of files, those of all engines together: so that at the end no worker is left alone with a long one. */
export class LongestFirst extends BaseSequencer {
  override async sort(
    files: TestSpecification[],
  ): Promise<TestSpecification[]> {
    const inOrder = await super.sort(files);
    return inOrder.sort((a, b) => this.#rank(a) - this.#rank(b));
  }

  #rank({ moduleId }: TestSpecification): number {
    const path = relative(this.ctx.config.root, moduleId);
    const rank = LONGEST.findIndex((folder) => path.startsWith(`${folder}/`));
    return rank === -1 ? LONGEST.length : rank;
  }
}
