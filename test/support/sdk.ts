/** What a client sees that the SDK does not give as a value. */

export const UUID =
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** ISO 8601 in UTC. */
export const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/;

/** An id that nothing has. */
export const NOBODY = "00000000-0000-4000-8000-000000000000";

export interface Refusal {
  status: number;
  detail: string;
}

/** The answer to a request that must fail, read from the SDK's error as a user would. */
export async function refusal(request: Promise<unknown>): Promise<Refusal> {
  const error = await request.then(
    (value) => {
      throw new Error(`not refused, but answered: ${JSON.stringify(value)}`);
    },
    (reason: unknown) => reason as Error,
  );
  const [, status, body] = /^HTTP (\d+): (.*)$/s.exec(error.message) ?? [];
  if (status === undefined || body === undefined) throw error;
  const { detail } = JSON.parse(body) as { detail: string };
  return { status: Number(status), detail };
}

export interface Frame {
  id?: string;
  event: string;
  // The SDK types the data of its frames as any.
  data: unknown;
}

/** All frames of a stream, up to its end. */
export async function collect(
  stream: AsyncIterable<unknown>,
): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const frame of stream) frames.push(frame as Frame);
  return frames;
}

export const eventsOf = (frames: Frame[]): string[] =>
  frames.map(({ event }) => event);

export const dataOf = (frames: Frame[], event: string): unknown[] =>
  frames.filter((frame) => frame.event === event).map(({ data }) => data);
