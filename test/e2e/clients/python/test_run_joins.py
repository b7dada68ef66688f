"""`client.runs.join_stream`, and streams that somebody leaves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from langgraph_sdk.errors import NotFoundError

from expectations import (
    NOBODY,
    collect,
    data_of,
    events_of,
    new_thread,
    refused,
    until,
)
from uniform import Client

INPUT = {"text": "a bc"}


async def test_a_run_is_joined_in_its_middle(client: Client):
    thread_id = await new_thread(client)
    run = await client.runs.create(
        thread_id,
        "slow",
        input={"steps": 5, "seconds": 0.3},
        stream_mode=["custom", "values"],
    )
    joined = await collect(
        client.runs.join_stream(thread_id, run["run_id"], stream_mode="custom")
    )
    assert set(events_of(joined)) <= {"metadata", "custom", "end"}
    assert data_of(joined, "custom")[-1] == {"progress": "step 5 of 5"}
    assert joined[-1].data["status"] == "success"


async def test_a_resumable_stream_is_read_again_from_any_part(client: Client):
    thread_id = await new_thread(client)
    parts = await collect(
        client.runs.stream(
            thread_id,
            "fan-out",
            input=INPUT,
            stream_mode=["values", "updates"],
            stream_resumable=True,
        )
    )
    run_id = parts[0].data["run_id"]

    async def joined(**options: Any) -> list[Any]:
        return await collect(client.runs.join_stream(thread_id, run_id, **options))

    assert await joined(last_event_id="-1") == parts
    assert await joined(last_event_id=parts[2].id) == parts[3:]
    only = await joined(last_event_id="-1", stream_mode=["updates"])
    assert only == [part for part in parts if part.event != "values"]
    # Without an id: what is still to come, which is nothing.
    assert data_of(await joined(), "values") == []


async def test_a_run_is_not_joined_where_it_is_not(client: Client):
    thread_id = await new_thread(client)
    with refused(NotFoundError, "Run not found"):
        await collect(client.runs.join_stream(thread_id, NOBODY))


@pytest.mark.parametrize(
    ("leaving", "status"), [("continue", "success"), ("cancel", "interrupted")]
)
@pytest.mark.parametrize("method", ["stream", "join_stream"])
async def test_whoever_goes_away_cancels_only_when_that_was_asked(
    client: Client, method: str, leaving: str, status: str
):
    thread_id = await new_thread(client)
    work = {"input": {"steps": 6, "seconds": 0.25}, "stream_mode": "custom"}
    if method == "stream":
        stream = client.runs.stream(thread_id, "slow", on_disconnect=leaving, **work)
    else:
        run = await client.runs.create(thread_id, "slow", **work)
        stream = client.runs.join_stream(
            thread_id, run["run_id"], cancel_on_disconnect=leaving == "cancel"
        )
    async with aclosing(stream) as parts:
        async for part in parts:
            if part.event == "custom":
                break
    [run] = await client.runs.list(thread_id)

    async def ended() -> str | None:
        now = (await client.runs.get(thread_id, run["run_id"]))["status"]
        return None if now in ("pending", "running") else now

    assert await until("the run has ended", ended) == status


async def test_the_stream_of_a_cancelled_run_ends(client: Client):
    thread_id = await new_thread(client)
    seen: list[Any] = []

    async def read() -> None:
        stream = client.runs.stream(
            thread_id,
            "slow",
            input={"steps": 600, "seconds": 0.1},
            stream_mode="custom",
        )
        async for part in stream:
            seen.append(part)

    reading = asyncio.create_task(read())

    async def has_begun() -> bool:
        return "custom" in events_of(seen)

    await until("the run runs", has_begun)
    await client.runs.cancel(thread_id, seen[0].data["run_id"], wait=True)
    await reading
    assert seen[-1].data["status"] == "interrupted"
