import type { Database } from "../../../src/storage/database.ts";
import { answerOf, type Operation } from "./operations.ts";
import { whatIsThere } from "./what-is-there.ts";
import type { World, WorldName, Worlds } from "./worlds.ts";

/** Operations that are done at the same time, from one world on. */
export interface Meeting {
  world: WorldName;
  operations: readonly Operation[];
}

export const nameOf = ({ world, operations }: Meeting): string =>
  `${operations.map(({ name }) => name).join(" | ")} in the world "${world}"`;

/** One operation of a meeting, to be done on a database. */
export const partOf =
  (world: World, operation: Operation, index: number) =>
  (database: Database): Promise<string> =>
    answerOf(operation, { world, database, label: `made by ${index}` });

/** What the operations answered, and what they left. */
export async function outcomeOf(
  worlds: Worlds,
  world: World,
  told: { operations: readonly Operation[]; answers: readonly string[] },
): Promise<string> {
  const left = await whatIsThere(worlds.database, world);
  const hasSteps = told.operations.some((operation) => operation.hasSteps);
  return hasSteps ? left : `${told.answers.join("\n")}\n${left}`;
}

/**
 * What comes of the operations when they are done one after the other: in
 * every order, and then without those that may pass over what somebody holds.
 */
export async function* serialOutcomes(
  worlds: Worlds,
  { world: name, operations }: Meeting,
): AsyncGenerator<string> {
  const all = operations.map((_, index) => index);
  const passing = all.filter((index) => operations[index]!.passing);
  for (const left of subsets(passing))
    for (const order of orders(all.filter((index) => !left.includes(index)))) {
      const world = await worlds.restore(name);
      const answers = operations.map(({ passing: answer = "" }) => answer);
      for (const index of order) {
        const part = partOf(world, operations[index]!, index);
        answers[index] = await part(worlds.database);
      }
      yield outcomeOf(worlds, world, { operations, answers });
    }
}

/** The smaller ones first. */
const subsets = (items: readonly number[]): number[][] =>
  items
    .reduce<number[][]>(
      (all, item) => [...all, ...all.map((some) => [...some, item])],
      [[]],
    )
    .sort((a, b) => a.length - b.length);

const orders = (items: readonly number[]): number[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((first) =>
        orders(items.filter((item) => item !== first)).map((rest) => [
          first,
          ...rest,
        ]),
      );
