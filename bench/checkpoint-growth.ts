/*
 * What does a thread cost that only grows? One thread, one graph, a question
 * and an answer per turn; once with our saver (over a pipe, fenced, on a real
 * file with full durability), once with a saver that stores lists whole, as
 * the stock ones do, straight into a file of the same kind.
 *
 *   node --import @oxc-node/core/register bench/checkpoint-growth.ts [turns] [bytes per message]
 */
import { statSync } from "node:fs";
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import type { RunnableConfig } from "@langchain/core/runnables";
import {
  MemorySaver,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import type {
  BaseCheckpointSaver,
  Checkpoint,
  CheckpointMetadata,
  CheckpointTuple,
  PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { uuid7 } from "../src/lib/uuid.ts";
import { first, type Database } from "../src/storage/database.ts";
import { sql } from "../src/storage/sql.ts";
import { SpoolCheckpointer } from "../src/worker/checkpointer.ts";
import { openTestFile } from "../test/support/databases.ts";
import {
  connectWorker,
  insertRunningRun,
  portOf,
} from "../test/support/worker-pipe.ts";

const turns = Number(process.argv[2] ?? 1000);
const messageBytes = Number(process.argv[3] ?? 500);

/** MemorySaver's format, in a file, with the newest checkpoint read back from there. */
class WholeValuesSaver extends MemorySaver {
  readonly #database: Database;

  constructor(database: Database) {
    super();
    this.#database = database;
  }

  override async getTuple(
    config: RunnableConfig,
  ): Promise<CheckpointTuple | undefined> {
    const row = await first<{
      thread_id: string;
      checkpoint_id: string;
      data: Uint8Array;
    }>(
      this.#database,
      sql`select thread_id, checkpoint_id, data from whole order by checkpoint_id desc limit 1`,
    );
    if (row === null) return undefined;
    const { thread_id, checkpoint_id } = row;
    return {
      config: {
        configurable: { ...config.configurable, thread_id, checkpoint_id },
      },
      checkpoint: (await this.serde.loadsTyped("json", row.data)) as Checkpoint,
      metadata: { source: "loop", step: 0, parents: {} },
      pendingWrites: [],
    };
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    _metadata: CheckpointMetadata,
  ): Promise<RunnableConfig> {
    const [, data] = await this.serde.dumpsTyped(checkpoint);
    const thread_id = String(config.configurable?.["thread_id"]);
    await this.#database.transaction((tx) =>
      tx.query(sql`
        insert into whole (thread_id, checkpoint_id, data)
        values (${thread_id}, ${checkpoint.id}, ${data})`),
    );
    return {
      configurable: {
        thread_id,
        checkpoint_ns: "",
        checkpoint_id: checkpoint.id,
      },
    };
  }

  override async putWrites(
    _config: RunnableConfig,
    writes: PendingWrite[],
  ): Promise<void> {
    const dumped = await Promise.all(
      writes.map(([, value]) => this.serde.dumpsTyped(value)),
    );
    await this.#database.transaction(async (tx) => {
      for (const [, data] of dumped)
        await tx.query(sql`insert into whole_writes (data) values (${data})`);
    });
  }
}

const text = (turn: number): string =>
  `${turn} `.repeat(messageBytes).slice(0, messageBytes);

const buildGraph = (checkpointer: BaseCheckpointSaver) =>
  new StateGraph(MessagesAnnotation)
    .addNode("answer", ({ messages }) => ({
      messages: [
        new AIMessage({ id: uuid7(), content: text(messages.length) }),
      ],
    }))
    .addEdge(START, "answer")
    .compile({ checkpointer });

interface Turn {
  ms: number;
  /** Time on the processor, which a busy machine does not falsify. */
  cpuMs: number;
}

/** A new saver each turn, as each run has one. */
async function converse(
  makeSaver: () => BaseCheckpointSaver,
  threadId: string,
): Promise<Turn[]> {
  const times: Turn[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const start = performance.now();
    const cpu = process.cpuUsage();
    await buildGraph(makeSaver()).invoke(
      { messages: [new HumanMessage({ id: uuid7(), content: text(turn) })] },
      { configurable: { thread_id: threadId } },
    );
    const { user, system } = process.cpuUsage(cpu);
    times.push({
      ms: performance.now() - start,
      cpuMs: (user + system) / 1000,
    });
  }
  return times;
}

const rounded = (value: number | undefined): number =>
  Number((value ?? 0).toFixed(1));

const mean = (values: number[]): number =>
  rounded(values.reduce((sum, value) => sum + value, 0) / values.length);

function summary(all: Turn[], path: string) {
  const atStart = all.slice(0, 20);
  const atEnd = all.slice(-Math.ceil(turns / 20));
  const sorted = atEnd.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number) =>
    rounded(sorted[Math.floor((sorted.length - 1) * share)]);
  return {
    megabytes: rounded(statSync(path).size / 1e6),
    turns_per_second: rounded(
      (1000 * turns) / all.reduce((sum, { ms }) => sum + ms, 0),
    ),
    first_turns: {
      ms: mean(atStart.map(({ ms }) => ms)),
      cpu_ms: mean(atStart.map(({ cpuMs }) => cpuMs)),
    },
    last_turns: {
      p50_ms: at(0.5),
      p99_ms: at(0.99),
      cpu_ms: mean(atEnd.map(({ cpuMs }) => cpuMs)),
    },
  };
}

async function measure(
  run: (database: Database) => Promise<Turn[]>,
): Promise<ReturnType<typeof summary>> {
  const { database, path, close } = await openTestFile(undefined, "full");
  try {
    const times = await run(database);
    await database.script("pragma wal_checkpoint(truncate)");
    return summary(times, path);
  } finally {
    await close();
  }
}

const ours = await measure(async (database) => {
  const worker = connectWorker(database);
  const run = await database.transaction((tx) => insertRunningRun(tx));
  const times = await converse(
    () => new SpoolCheckpointer(portOf(worker.peer, run)),
    run.thread_id,
  );
  worker.close();
  return times;
});

const wholeLists = await measure(async (database) => {
  await database.transaction(async (tx) => {
    await tx.query(
      sql`create table whole (thread_id text, checkpoint_id text primary key, data blob)`,
    );
    await tx.query(sql`create table whole_writes (data blob)`);
  });
  return converse(() => new WholeValuesSaver(database), uuid7());
});

process.stdout.write(
  `${JSON.stringify({
    bench: "checkpoint-growth",
    machine: `${cpus()[0]?.model ?? "unknown"} x ${cpus().length}`,
    node: process.version,
    turns,
    message_bytes: messageBytes,
    ours,
    whole_lists: wholeLists,
  })}\n`,
);
