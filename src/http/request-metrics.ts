import type { Metric, Sample } from "../lib/prometheus.ts";

/** Upper bounds in seconds: from what is answered from memory to what waits for a worker to start. */
const BOUNDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];

interface RouteTimes {
  labels: { method: string; route: string };
  /** Requests by status. */
  statuses: Map<number, number>;
  /** Requests that took up to each of the bounds and longer than the one before; the last took longer than all. */
  buckets: number[];
  seconds: number;
}

/** Counts requests by route, and how long their answers took to begin. */
export class RequestMetrics {
  readonly #routes = new Map<string, RouteTimes>();

  record(request: {
    method: string;
    /** The pattern, not the path: there are few of them. */
    route: string;
    status: number;
    seconds: number;
  }): void {
    const { method, route, status, seconds } = request;
    const key = `${method} ${route}`;
    let times = this.#routes.get(key);
    if (times === undefined) {
      times = {
        labels: { method, route },
        statuses: new Map(),
        buckets: Array.from({ length: BOUNDS.length + 1 }, () => 0),
        seconds: 0,
      };
      this.#routes.set(key, times);
    }
    times.statuses.set(status, (times.statuses.get(status) ?? 0) + 1);
    const index = BOUNDS.findIndex((bound) => seconds <= bound);
    const bucket = index === -1 ? BOUNDS.length : index;
    times.buckets[bucket] = (times.buckets[bucket] ?? 0) + 1;
    times.seconds += seconds;
  }

  metrics(): Metric[] {
    const routes = [...this.#routes.values()];
    return [
      {
        name: "spool_http_requests_total",
        help: "Requests that were answered.",
        type: "counter",
        samples: routes.flatMap(({ labels, statuses }) =>
          [...statuses].map(([status, value]) => ({
            labels: { ...labels, status: String(status) },
            value,
          })),
        ),
      },
      {
        name: "spool_http_request_duration_seconds",
        help: "Time until the answer began; the rest of a stream comes after it.",
        type: "histogram",
        samples: routes.flatMap(histogram),
      },
    ];
  }
}

function histogram({ labels, buckets, seconds }: RouteTimes): Sample[] {
  let count = 0;
  const cumulative = buckets.map((value, index) => {
    count += value;
    const le = String(BOUNDS[index] ?? "+Inf");
    return { suffix: "_bucket", labels: { ...labels, le }, value: count };
  });
  return [
    ...cumulative,
    { suffix: "_sum", labels, value: seconds },
    { suffix: "_count", labels, value: count },
  ];
}
