"""`client.threads.join_stream`: all runs of a thread in one stream."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from expectations import NOBODY, collect, events_of, new_thread, refused
from uniform import Client


async def two_runs(client: Client) -> tuple[str, list[Any]]:
    thread_id = await new_thread(client)
    parts: list[Any] = []
    for text in ("a", "b c"):
        parts += await collect(
            client.runs.stream(thread_id, "fan-out", input={"text": text})
        )
    return thread_id, parts


async def joined(
    client: Client, thread_id: str, count: int, **options: Any
) -> list[Any]:
    """Leaves after so many parts: the stream has no end of its own."""
    seen: list[Any] = []
    async with aclosing(client.threads.join_stream(thread_id, **options)) as parts:
        async for part in parts:
            seen.append(part)
            if len(seen) == count:
                break
    return seen


async def test_the_runs_of_a_thread_are_replayed_from_any_part_on(client: Client):
    thread_id, parts = await two_runs(client)
    count = len(parts)
    assert await joined(client, thread_id, count, last_event_id="-1") == parts
    assert await joined(client, thread_id, count - 3, last_event_id=parts[2].id) == (
        parts[3:]
    )


async def test_a_thread_stream_shows_what_its_modes_say(client: Client):
    thread_id, _ = await two_runs(client)

    async def replay(count: int, mode: Any) -> list[Any]:
        return await joined(
            client, thread_id, count, last_event_id="-1", stream_mode=mode
        )

    assert events_of(await replay(4, "lifecycle")) == ["metadata", "end"] * 2
    first, second = await replay(2, ["state_update"])
    assert first.data["state"]["values"]["text"] == "a"
    assert second.data["thread_id"] == thread_id
    assert second.data["state"] == await client.threads.get_state(thread_id)


async def test_what_has_no_thread_stream_is_refused(client: Client):
    with refused(NotFoundError, f"Thread with ID {NOBODY} not found"):
        await collect(client.threads.join_stream(NOBODY))
    known = "run_modes, lifecycle, state_update"
    with refused(
        UnprocessableEntityError, f'stream_mode: unknown mode "x"; known are {known}'
    ):
        await collect(
            client.threads.join_stream(await new_thread(client), stream_mode="x")
        )
