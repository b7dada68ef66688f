"""Runs without a thread: the same methods with `None` for the thread."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.errors import APIStatusError, NotFoundError

from expectations import (
    NO_ASSISTANT,
    collect,
    data_of,
    events_of,
    refused,
    refused_untyped,
    until,
)
from uniform import Client

INPUT = {"text": "a bc"}
TOTAL = {"text": "a bc", "lengths": [1, 2], "total": 3}


async def test_a_wait_needs_no_thread_and_leaves_none(client: Client):
    created: list[Any] = []
    values = await client.runs.wait(
        None, "fan-out", input=INPUT, on_run_created=created.append
    )
    assert values == TOTAL
    # It has no thread that a client could use.
    [run] = created
    assert run["thread_id"] is None
    with refused_untyped(404, NO_ASSISTANT):
        await client.runs.wait(None, "nobody")


async def test_a_wait_takes_every_option(client: Client):
    values = await client.runs.wait(
        None,
        "approval",
        input={"to": "Ada"},
        metadata={"a": 1},
        config={"tags": ["a"]},
        context={"language": "en"},
        interrupt_before=["approve"],
        interrupt_after=["send"],
        webhook="http://127.0.0.1:9/nobody",
        on_disconnect="cancel",
        on_completion="delete",
        if_not_exists="create",
        after_seconds=0,
        durability="async",
    )
    assert values["log"] == ["written"]
    with pytest.raises(Exception, match="^CustomError: Boo!$"):
        await client.runs.wait(None, "throws", input={"kind": "custom"})


@pytest.mark.parametrize("on_completion", ["delete", "keep"])
async def test_the_hidden_thread_of_a_run_stays_only_when_it_is_kept(
    client: Client, on_completion: str
):
    run = await client.runs.create(
        None, "fan-out", input=INPUT, on_completion=on_completion
    )
    thread_id = run["thread_id"]

    async def is_settled() -> bool:
        try:
            return (await client.threads.get(thread_id))["status"] == "idle"
        except APIStatusError:
            return True

    await until("the run has ended", is_settled)
    if on_completion == "keep":
        assert (await client.threads.get(thread_id))["values"] == TOTAL
        assert await client.runs.join(thread_id, run["run_id"]) == TOTAL
    else:
        with refused(NotFoundError, f"Thread with ID {thread_id} not found"):
            await client.threads.get(thread_id)
        with refused(NotFoundError, "Run not found"):
            await client.runs.get(thread_id, run["run_id"])


async def test_a_stream_needs_no_thread(client: Client):
    created: list[Any] = []
    parts = await collect(
        client.runs.stream(
            None,
            "fan-out",
            input=INPUT,
            stream_mode=["values", "updates"],
            on_completion="delete",
            on_disconnect="cancel",
            on_run_created=created.append,
        )
    )
    events = events_of(parts)
    assert (events[0], events[-1]) == ("metadata", "end")
    assert data_of(parts, "values")[-1] == TOTAL
    [run] = created
    assert run == {"run_id": parts[0].data["run_id"], "thread_id": None}


async def test_a_run_that_cannot_be_is_refused(client: Client):
    with refused(NotFoundError, NO_ASSISTANT):
        await client.runs.create(None, "nobody")
    with refused(NotFoundError, NO_ASSISTANT):
        await collect(client.runs.stream(None, "nobody"))
