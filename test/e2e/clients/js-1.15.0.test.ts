import { Client } from "@langchain/langgraph-sdk";
import { test } from "vitest";
import { assertPageAgrees } from "../../support/compatibility-page.ts";
import { useServer } from "../../support/server.ts";
import { assistantSuite } from "./suites/assistants.ts";
import { cronSuite, newerCronSuite } from "./suites/crons.ts";
import { Driven } from "./suites/driven.ts";
import { everythingCalledSuite } from "./suites/everything-called.ts";
import { notYetSuite } from "./suites/not-yet.ts";
import { remoteGraphSuite } from "./suites/remote-graph.ts";
import { runOptionSuite } from "./suites/run-options.ts";
import {
  specialRunOptionSuite,
  newerRunOptionSuite,
} from "./suites/run-special-options.ts";
import { runStreamSuite } from "./suites/run-streams.ts";
import { runSuite } from "./suites/runs.ts";
import { storeSuite } from "./suites/store.ts";
import {
  newerThreadStateSuite,
  threadStateSuite,
} from "./suites/thread-state.ts";
import { threadProtocolSuite } from "./suites/thread-protocol.ts";
import { threadStreamSuite } from "./suites/thread-stream.ts";
import { newerThreadSuite, threadSuite } from "./suites/threads.ts";
import { transportSuite } from "./suites/transport.ts";

const driven = new Driven({
  name: "js-1.15.0",
  clientClass: Client,
  server: useServer(),
});

assistantSuite(driven);
threadSuite(driven);
threadStreamSuite(driven);
threadProtocolSuite(driven);
newerThreadSuite(driven);
threadStateSuite(driven);
newerThreadStateSuite(driven);
runSuite(driven);
runOptionSuite(driven);
specialRunOptionSuite(driven);
newerRunOptionSuite(driven);
runStreamSuite(driven);
remoteGraphSuite(driven);
storeSuite(driven);
cronSuite(driven);
newerCronSuite(driven);
notYetSuite(driven);
transportSuite(driven);

everythingCalledSuite(driven);

test("docs/compatibility.md says what was called", () => {
  assertPageAgrees(driven.record.client);
});
