import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import type { BackgroundProfile } from "./background.ts";
import type { Case } from "./cases.ts";
import { SPOOL, type Contender } from "./contender.ts";
import type { Profile } from "./profile.ts";
import {
  OBSERVERS,
  REPLAYED,
  THREADS,
  type ProtocolProfile,
} from "./protocol.ts";
import type { Results } from "./results.ts";
import type { SearchProfile } from "./search.ts";
import {
  IDLE_STREAMS,
  QUEUED_RUNS,
  STREAMS_AT_ONCE,
  type StreamProfile,
} from "./streams.ts";

interface Report {
  results: Results;
  profiles: Record<string, Profile>;
  streams: Record<string, StreamProfile>;
  protocol: Record<string, ProtocolProfile>;
  /** Null: not measured. */
  search: SearchProfile | null;
  background: BackgroundProfile | null;
  contenders: readonly Contender[];
  cases: readonly Case[];
  settings: { seconds: number; warmUp: number; crowd: number };
}

const DIRECTORY = "bench/results";

/** Writes the table for people and the figures for programs; returns the files. */
export function writeReport(report: Report): string[] {
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    node: process.versions.node,
    platform: `${process.platform} ${process.arch}`,
  };
  const commit = git("rev-parse", "--short", "HEAD");
  const isClean = git("status", "--porcelain", "src", "bench") === "";
  const date = new Date().toISOString().slice(0, 10);
  const head = {
    date,
    commit: isClean ? commit : `${commit} with changes`,
    machine,
    settings: report.settings,
  };
  const name = `${DIRECTORY}/${date}-${commit}`;
  mkdirSync(DIRECTORY, { recursive: true });
  const { results, profiles, streams, protocol, search, background } = report;
  const { contenders } = report;
  writeFileSync(
    `${name}.json`,
    `${JSON.stringify({ ...head, contenders: contenders.map(({ name: of, version, command }) => ({ name: of, version, command })), results, profiles, streams, protocol, search, background }, null, 2)}\n`,
  );
  writeFileSync(
    `${name}.md`,
    [
      `# ${date}, commit ${head.commit}`,
      "",
      `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.platform}, Node ${machine.node}. ` +
        `${report.settings.warmUp} s warm-up, ${report.settings.seconds} s each; a crowded store holds ${report.settings.crowd} threads.`,
      "",
      ...contenders.map(
        ({ name: of, version, command }) =>
          `- ${of} ${version}: \`${command}\``,
      ),
      "",
      ...caseTable(report),
      "",
      ...profileTable(report),
      "",
      ...streamTable(report),
      "",
      ...protocolTable(report),
      "",
      ...searchTable(report),
      "",
      ...backgroundTable(report),
      "",
    ].join("\n"),
  );
  return [`${name}.md`, `${name}.json`];
}

const git = (...args: string[]): string =>
  execFileSync("git", args, { encoding: "utf8" }).trim();

function caseTable({ results, cases, contenders }: Report): string[] {
  const [spool, peer] = contenders;
  const rows = cases.flatMap(({ name, target }) =>
    Object.entries(results[name] ?? {}).flatMap(([contender, figures]) =>
      Object.entries(figures).map(([concurrency, figure]) => {
        const other = results[name]?.[peer?.name ?? ""]?.[concurrency];
        const isOurs = contender === spool?.name && other !== undefined;
        const ratio = isOurs ? figure.perSecond / other.perSecond : null;
        const wanted = concurrency === "32" && isOurs ? target : undefined;
        return [
          name,
          contender,
          concurrency,
          figure.perSecond.toFixed(1),
          figure.p50.toFixed(2),
          figure.p95.toFixed(2),
          figure.p99.toFixed(2),
          figure.cpuMs.toFixed(2),
          figure.serverCpuMs.toFixed(2),
          ratio === null ? "" : `${ratio.toFixed(2)}x`,
          wanted === undefined ? "" : `${wanted}x`,
        ];
      }),
    ),
  );
  return table(
    [
      ...["case", "server", "at once", "per second"],
      ...["p50 ms", "p95 ms", "p99 ms", "CPU ms", "of it, server"],
      ...["ratio", "wanted"],
    ],
    rows,
  );
}

function profileTable({ profiles, contenders }: Report): string[] {
  const names = contenders
    .map(({ name }) => name)
    .filter((name) => profiles[name] !== undefined);
  if (names.length === 0) return [];
  const of = (read: (profile: Profile) => number | undefined | null) =>
    names.map((name) => {
      const profile = profiles[name];
      const value = profile === undefined ? null : read(profile);
      return typeof value === "number" ? value.toFixed(1) : "not measured";
    });
  const rows = [
    ["start to `/ok`, ms", ...of((p) => p.startMs)],
    ["start to the end of a first run, ms", ...of((p) => p.firstRunMs)],
    ["server process at rest, MB", ...of((p) => p.idleServerMb)],
    ["with its workers, MB", ...of((p) => p.idleTreeMb)],
    [
      "thread get while a graph blocks, p50 ms",
      ...of((p) => p.whileBlocked?.p50),
    ],
    ["the same, p99 ms", ...of((p) => p.whileBlocked?.p99)],
    [
      "thread of 1,000 turns of 1 KB messages, MB on disk",
      ...of((p) => p.longThread?.diskMb),
    ],
    [
      "written by one of its first ten turns, KB",
      ...of((p) => p.longThread?.firstTurnsKb),
    ],
    [
      "written by one of its last ten turns, KB",
      ...of((p) => p.longThread?.lastTurnsKb),
    ],
    [
      "runs/wait of its first ten turns, p50 ms",
      ...of((p) => p.longThread?.firstTurnsMs),
    ],
    [
      "runs/wait of its last ten turns, p50 ms",
      ...of((p) => p.longThread?.lastTurnsMs),
    ],
    ["its state get, p50 ms", ...of((p) => p.longThread?.stateGetMs)],
  ];
  return table(["", ...names], rows);
}

function streamTable({ streams, contenders }: Report): string[] {
  const names = contenders
    .map(({ name }) => name)
    .filter((name) => streams[name] !== undefined);
  if (names.length === 0) return [];
  const of = (read: (profile: StreamProfile) => number | undefined | null) =>
    names.map((name) => {
      const profile = streams[name];
      const value = profile === undefined ? null : read(profile);
      return typeof value === "number" ? value.toFixed(1) : "not measured";
    });
  const rows = [
    ["from the request to the first node, p50 ms", ...of((p) => p.queueP50)],
    ...STREAMS_AT_ONCE.flatMap((count) => [
      [
        `first of 100 chunks, ${count} at once, p50 ms`,
        ...of((p) => p.streams[count]?.firstTokenP50),
      ],
      ["the same, p99 ms", ...of((p) => p.streams[count]?.firstTokenP99)],
      ["chunks per second", ...of((p) => p.streams[count]?.chunksPerSecond)],
    ]),
    [
      `${IDLE_STREAMS} open streams with nothing to tell, MB of the server process`,
      ...of((p) => p.idleStreamsMb),
    ],
    [
      `from the request to the first node, beside ${QUEUED_RUNS} runs queued on one thread, % longer`,
      ...of((p) => p.besideQueuedPercent),
    ],
  ];
  return table(["", ...names], rows);
}

function protocolTable({ protocol, contenders }: Report): string[] {
  const names = contenders
    .map(({ name }) => name)
    .filter((name) => protocol[name] !== undefined);
  if (names.length === 0) return [];
  const of = (read: (profile: ProtocolProfile) => number | null) =>
    names.map((name) => {
      const profile = protocol[name];
      const value = profile === undefined ? null : read(profile);
      return value === null ? "not measured" : value.toFixed(1);
    });
  const crowd = `${THREADS} threads with ${OBSERVERS} observers each`;
  const rows = [
    [
      "from `run.start` to the first event, one at a time, p50 ms",
      ...of((p) => p.firstEventP50),
    ],
    [
      `runs of 100 chunks, ${crowd}, events per second`,
      ...of((p) => p.observedPerSecond),
    ],
    ["of those observers, % that saw all", ...of((p) => p.completePercent)],
    [
      `${REPLAYED} events to a new subscriber, per second`,
      ...of((p) => p.replayPerSecond),
    ],
  ];
  return [
    "The streaming protocol over SSE:",
    "",
    ...table(["", ...names], rows),
  ];
}

function backgroundTable({ background }: Report): string[] {
  if (background === null) return [];
  const { crons, expiry } = background;
  const { getMeanwhile, getAfter } = expiry;
  const rows = [
    [`${crons.crons} crons due in the same minute: the last has fired after, s`, crons.firedSeconds],
    ["the last of their runs has ended after, s", crons.endedSeconds],
    ["runs that they have created", crons.runs],
    [`${expiry.threads} expired threads are swept in, s`, expiry.sweepSeconds],
    ["thread get meanwhile, p50 ms", getMeanwhile.p50],
    ["thread get meanwhile, p99 ms", getMeanwhile.p99],
    ["thread get afterwards, p99 ms", getAfter.p99],
  ] as const;
  return [
    "Crons and expiry:",
    "",
    ...table(
      ["", SPOOL.name],
      rows.map(([name, figure]) => [
        name,
        Number.isInteger(figure) ? String(figure) : figure.toFixed(1),
      ]),
    ),
  ];
} // prettier-ignore

function searchTable({ search }: Report): string[] {
  if (search === null) return [];
  const { items, putsPerSecond } = search;
  const rows = [
    [`top 10 of ${items} items of 384 dimensions`, search.top10],
    ["top 10 of a hundredth of them, in a namespace", search.inNamespace],
    ["store get beside searches of all of them", search.getBeside],
  ] as const;
  return [
    `Semantic search, of items that were put at ${putsPerSecond.toFixed(0)} per second, 32 at once:`,
    "",
    ...table(
      ["", "per second", "p50 ms", "p95 ms", "p99 ms"],
      rows.map(([name, { perSecond, p50, p95, p99 }]) => [
        name,
        ...[perSecond, p50, p95, p99].map((figure) => figure.toFixed(1)),
      ]),
    ),
  ];
}

const table = (head: string[], rows: string[][]): string[] => [
  `| ${head.join(" | ")} |`,
  `| ${head.map(() => "---").join(" | ")} |`,
  ...rows.map((row) => `| ${row.join(" | ")} |`),
];
