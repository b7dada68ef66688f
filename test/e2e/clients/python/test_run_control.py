"""What can be done with a run that is there: list, cancel, delete, follow with another."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph_sdk.errors import (
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)

from expectations import NOBODY, NO_ASSISTANT, new_thread, refused, refused_untyped, until
from uniform import Client

NO_RUN = "Run not found"
# Until it is cancelled.
ENDLESS = {"steps": 600, "seconds": 0.1}


async def started(client: Client, thread_id: str, **options: Any) -> str:
    """The id of a run that is in the middle of its work."""
    run = await client.runs.create(thread_id, "slow", input=ENDLESS, **options)

    async def has_begun() -> bool:
        values = (await client.threads.get_state(thread_id))["values"]
        return bool(values.get("done"))

    await until("the first step is done", has_begun)
    return run["run_id"]


async def test_the_runs_of_a_thread_are_listed_with_every_option(client: Client):
    thread_id = await new_thread(client)
    ids = []
    for kind in ("custom", "type"):
        run = await client.runs.create(thread_id, "throws", input={"kind": kind})
        await client.runs.join(thread_id, run["run_id"])
        ids.append(run["run_id"])
    late = await client.runs.create(thread_id, "slow", after_seconds=3600)
    ids.append(late["run_id"])

    async def listed(**options: Any) -> list[str]:
        return [run["run_id"] for run in await client.runs.list(thread_id, **options)]

    assert await listed() == ids[::-1]
    assert await listed(limit=1, offset=1) == [ids[1]]
    assert await listed(status="pending") == [ids[2]]
    assert await listed(status="error") == [ids[1], ids[0]]
    slim = await client.runs.list(thread_id, limit=1, select=["run_id", "status"])
    assert slim == [{"run_id": ids[2], "status": "pending"}]
    statuses = "pending, running, error, success, timeout, interrupted"
    with refused(UnprocessableEntityError, f"status: must be one of {statuses}"):
        await listed(status="asleep")
    with refused(NotFoundError, f"Thread with ID {NOBODY} not found"):
        await client.runs.list(NOBODY)


async def test_a_run_is_deleted_when_it_has_ended(client: Client):
    thread_id = await new_thread(client)
    run = await client.runs.create(thread_id, "fan-out", input={"text": "a"})
    await client.runs.join(thread_id, run["run_id"])
    assert await client.runs.delete(thread_id, run["run_id"]) is None
    with refused(NotFoundError, NO_RUN):
        await client.runs.get(thread_id, run["run_id"])
    with refused(NotFoundError, NO_RUN):
        await client.runs.delete(thread_id, run["run_id"])
    with refused_untyped(404, NO_RUN):
        await client.runs.join(thread_id, run["run_id"])


@pytest.mark.parametrize("wait", [True, False])
async def test_a_cancelled_run_is_interrupted_and_keeps_its_steps(
    client: Client, wait: bool
):
    thread_id = await new_thread(client)
    run_id = await started(client, thread_id)
    answer = await client.runs.cancel(thread_id, run_id, wait=wait, action="interrupt")
    assert answer is None

    async def is_interrupted() -> bool:
        run = await client.runs.get(thread_id, run_id)
        return run["status"] == "interrupted"

    if wait:
        assert await is_interrupted()
    else:
        await until("the run is cancelled", is_interrupted)
    assert (await client.threads.get_state(thread_id))["values"]["done"][0] == 1


@pytest.mark.parametrize("wait", [True, False])
async def test_a_run_that_is_rolled_back_leaves_nothing(client: Client, wait: bool):
    thread_id = await new_thread(client)
    await client.runs.wait(thread_id, "fan-out", input={"text": "a"})
    before = await client.threads.get(thread_id)
    run_id = await started(client, thread_id)
    await client.runs.cancel(thread_id, run_id, wait=wait, action="rollback")

    async def is_gone() -> bool:
        return run_id not in [r["run_id"] for r in await client.runs.list(thread_id)]

    if wait:
        assert await is_gone()
    else:
        await until("the run is gone", is_gone)
    with refused(NotFoundError, NO_RUN):
        await client.runs.get(thread_id, run_id)
    after = await client.threads.get(thread_id)
    assert (after["status"], after["values"]) == ("idle", before["values"])
    # Its graph is again that of the run before.
    assert after["metadata"] == before["metadata"]
    assert (await client.threads.get_state(thread_id))["values"]["total"] == 1


async def test_runs_are_made_in_a_batch_or_not_at_all(client: Client, tag: str):
    metadata = {"tag": tag}
    payloads = [
        {
            "assistant_id": "fan-out",
            "input": {"text": text},
            "metadata": metadata,
            "on_completion": "keep",
        }
        for text in ("a", "b c")
    ]
    made = await client.runs.create_batch(payloads)
    joins = [client.runs.join(run["thread_id"], run["run_id"]) for run in made]
    assert [v["total"] for v in await asyncio.gather(*joins)] == [1, 2]
    with refused(NotFoundError, NO_ASSISTANT):
        await client.runs.create_batch([*payloads, {"assistant_id": "nobody"}])
    assert await client.threads.count(metadata=metadata) == 2
    with refused(UnprocessableEntityError, "body: must have a run at least"):
        await client.runs.create_batch([])


async def test_many_runs_are_cancelled_at_once(client: Client):
    thread_id = await new_thread(client)
    ids = []
    for _ in range(4):
        run = await client.runs.create(thread_id, "slow", after_seconds=3600)
        ids.append(run["run_id"])

    async def statuses() -> list[str]:
        return [run["status"] for run in await client.runs.list(thread_id)][::-1]

    listed = {"thread_id": thread_id, "run_ids": ids[:1]}
    assert await client.runs.cancel_many(**listed) is None
    assert await statuses() == ["interrupted", "pending", "pending", "pending"]
    listed = {"thread_id": thread_id, "run_ids": ids[1:2]}
    await client.runs.cancel_many(**listed, action="rollback")
    assert await statuses() == ["interrupted", "pending", "pending"]
    await client.runs.cancel_many(status="pending")
    assert await statuses() == ["interrupted", "interrupted", "interrupted"]
    with refused(NotFoundError, f"Run not found: {ids[1]}"):
        await client.runs.cancel_many(**listed)
    neither = "status: required, unless thread_id and run_ids are given"
    with refused(UnprocessableEntityError, neither):
        await client.runs.cancel_many()


async def test_a_cancel_that_cannot_be_is_refused(client: Client):
    thread_id = await new_thread(client)
    with refused(NotFoundError, NO_RUN):
        await client.runs.cancel(thread_id, NOBODY)
    with refused_untyped(404, NO_RUN):
        await client.runs.cancel(thread_id, NOBODY, wait=True)
    run = await client.runs.create(thread_id, "fan-out", input={"text": "a"})
    await client.runs.join(thread_id, run["run_id"])
    ended = f"Run {run['run_id']} has ended already with status success"
    with refused(ConflictError, ended):
        await client.runs.cancel(thread_id, run["run_id"])
    with refused(
        UnprocessableEntityError, "action: must be one of interrupt, rollback"
    ):
        await client.runs.cancel(thread_id, run["run_id"], action="forget")


async def test_a_second_run_follows_the_strategy_it_brings(client: Client):
    async def second(strategy: str) -> tuple[str, str, dict[str, Any]]:
        thread_id = await new_thread(client)
        first = await started(client, thread_id)
        short = {"steps": 1, "seconds": 0}
        run = await client.runs.create(
            thread_id, "slow", input=short, multitask_strategy=strategy
        )
        return thread_id, first, run

    busy = (
        "Thread is already running a task. Wait for it to finish or choose a "
        "different multitask strategy."
    )
    with refused(ConflictError, busy):
        await second("reject")

    thread_id, first, run = await second("enqueue")
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "pending"
    await client.runs.cancel(thread_id, first, wait=True)
    await client.runs.join(thread_id, run["run_id"])
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"

    thread_id, first, run = await second("interrupt")
    await client.runs.join(thread_id, run["run_id"])
    assert (await client.runs.get(thread_id, first))["status"] == "interrupted"

    thread_id, first, run = await second("rollback")
    assert (await client.runs.join(thread_id, run["run_id"]))["done"] == [1]
    with refused(NotFoundError, NO_RUN):
        await client.runs.get(thread_id, first)


async def test_many_wait_for_one_run(client: Client):
    thread_id = await new_thread(client)
    run = await client.runs.create(
        thread_id, "slow", input={"steps": 3, "seconds": 0.2}
    )
    joins = [client.runs.join(thread_id, run["run_id"]) for _ in range(4)]
    for values in await asyncio.gather(*joins):
        assert values["done"] == [1, 2, 3]
