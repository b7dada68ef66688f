import type { Metric } from "../lib/prometheus.ts";
import { VERSION } from "../lib/package-version.ts";
import { countQueue } from "../storage/run-queue.ts";
import { countPendingDeliveries } from "../storage/webhook-outbox.ts";
import type { ServiceDeps } from "./deps.ts";

/** What the engine of this process tells of itself. */
export interface EngineMeasures {
  /** Runs that it may execute at once. */
  slots: number;
  executing: number;
  /** Runs that could start now; fewer than the slots that are left while workers start or are blocked. */
  room: number;
  /** Since its start, by how they ended. */
  ended: Readonly<Record<string, number>>;
}

export interface MetricsDeps extends Pick<ServiceDeps, "database"> {
  measures: () => EngineMeasures;
}

/** What is told as JSON, by the names that the official server gives to queue and workers. */
export interface ServerMetrics {
  queue: {
    n_pending: number;
    n_running: number;
    /** How long the run has waited that has waited longest for a place. */
    max_age_secs: number;
  };
  workers: { max: number; active: number; available: number };
  runs_ended: Readonly<Record<string, number>>;
  webhooks: { n_pending: number };
  process: {
    uptime_secs: number;
    cpu_secs: number;
    memory_bytes: number;
    event_loop_busy_secs: number;
  };
}

/** Queue and webhooks are those of the database; the rest is of this process. */
export async function collectMetrics({
  database,
  measures,
}: MetricsDeps): Promise<ServerMetrics> {
  const [queue, webhooks] = await Promise.all([
    countQueue(database),
    countPendingDeliveries(database),
  ]);
  const { slots, executing, room, ended } = measures();
  const { user, system } = process.cpuUsage();
  const oldest = queue.oldest === null ? Date.now() : Date.parse(queue.oldest);
  return {
    queue: {
      n_pending: queue.pending,
      n_running: queue.running,
      max_age_secs: Math.max(0, (Date.now() - oldest) / 1000),
    },
    workers: { max: slots, active: executing, available: room },
    runs_ended: ended,
    webhooks: { n_pending: webhooks },
    process: {
      uptime_secs: process.uptime(),
      cpu_secs: (user + system) / 1e6,
      memory_bytes: process.memoryUsage.rss(),
      event_loop_busy_secs: performance.eventLoopUtilization().active / 1000,
    },
  };
}

/** The same for Prometheus. */
export function asMetrics(found: ServerMetrics): Metric[] {
  const { queue, workers, process: own } = found;
  const gauge = (name: string, help: string, value: number): Metric => ({
    name: `spool_${name}`,
    help,
    type: "gauge",
    samples: [{ value }],
  });
  const counter = (...metric: Parameters<typeof gauge>): Metric => ({
    ...gauge(...metric),
    type: "counter",
  });
  return [
    {
      name: "spool_info",
      help: "Always 1; the label is the version.",
      type: "gauge",
      samples: [{ labels: { version: VERSION }, value: 1 }],
    },
    gauge("runs_pending", "Runs that wait, delayed ones included.", queue.n_pending), // prettier-ignore
    gauge("runs_running", "Runs that are executed, by any instance.", queue.n_running), // prettier-ignore
    gauge("runs_oldest_wait_seconds", "How long the run has waited that has waited longest for a place.", queue.max_age_secs), // prettier-ignore
    gauge("slots", "Runs that this instance may execute at once.", workers.max),
    gauge("slots_taken", "Runs that this instance executes.", workers.active),
    gauge("slots_free", "Runs that this instance could start now.", workers.available), // prettier-ignore
    {
      name: "spool_runs_ended_total",
      help: "Runs that this instance has executed to their end.",
      type: "counter",
      samples: Object.entries(found.runs_ended).map(([status, value]) => ({
        labels: { status },
        value,
      })),
    },
    gauge("webhooks_pending", "Webhooks that are still to be sent.", found.webhooks.n_pending), // prettier-ignore
    gauge("uptime_seconds", "Since the start of the process.", own.uptime_secs),
    counter("cpu_seconds_total", "CPU time of the server process, without its workers.", own.cpu_secs), // prettier-ignore
    gauge("memory_bytes", "Resident memory of the server process, without its workers.", own.memory_bytes), // prettier-ignore
    counter("event_loop_busy_seconds_total", "Time in which the event loop of the server process was at work.", own.event_loop_busy_secs), // prettier-ignore
  ];
}
