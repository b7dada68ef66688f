import { Random } from "../random.ts";

/** How long each search goes on, in seconds. */
const SECONDS = Number(process.env["RACE_SECONDS"] ?? 10);

/** Makes the same choices again; said in every failure. */
const SEED = Number(process.env["RACE_SEED"] ?? Date.now() % 1_000_000_000);

/** For the time limit of the test itself. */
export const TIMEOUT_MS = SECONDS * 1000 + 60_000;

/**
 * Searches in an order of its own each time, until the time is over or
 * everything has been seen. A failure says how to have it again.
 */
export async function search<Case>(
  cases: Iterable<Case> | ((random: Random) => Iterable<Case>),
  params: {
    nameOf(found: Case): string;
    /** What takes long looks now and then whether the time is over. */
    look(found: Case, isOver: () => boolean): Promise<void>;
  },
): Promise<{ looked: number }> {
  const random = new Random(SEED);
  const all =
    typeof cases === "function" ? cases(random) : shuffled([...cases], random);
  const only = process.env["RACE_ONLY"];
  const end = Date.now() + SECONDS * 1000;
  const isOver = () => Date.now() > end;
  let looked = 0;
  for (const one of all) {
    const name = params.nameOf(one);
    if (only !== undefined && !name.includes(only)) continue;
    if (isOver()) break;
    looked += 1;
    await params.look(one, isOver).catch((cause: unknown) => {
      throw new Error(
        `${name}: ${(cause as Error).message}\n(RACE_SEED=${SEED}; RACE_ONLY='${name}' looks at this one alone)`,
        { cause },
      );
    });
  }
  process.stderr.write(`RACE_SEED=${SEED}: ${looked} cases\n`);
  return { looked };
}

function shuffled<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = random.between(0, last + 1);
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
  return items;
}
