"""The methods of `client.threads` on threads as such."""

from __future__ import annotations

import time
from datetime import datetime
from uuid import uuid4

import pytest
from langgraph_sdk.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)

from expectations import NOBODY, TIMESTAMP, UUID, refused
from uniform import Client

NOT_FOUND = f"Thread with ID {NOBODY} not found"


async def test_a_thread_needs_nothing(client: Client):
    thread = await client.threads.create()
    assert UUID.fullmatch(thread["thread_id"])
    assert TIMESTAMP.fullmatch(thread["created_at"])
    assert thread["state_updated_at"] == thread["created_at"]
    assert (thread["status"], thread["values"]) == ("idle", None)
    empty = (thread["metadata"], thread["config"], thread["interrupts"])
    assert empty == ({}, {}, {})
    assert "ttl" not in thread
    assert thread == await client.threads.get(thread["thread_id"])


async def test_a_thread_takes_the_id_metadata_and_graph_of_its_creator(client: Client):
    thread_id = str(uuid4())
    thread = await client.threads.create(
        thread_id=thread_id,
        metadata={"user": "ada", "deep": {"n": [1, 2]}},
        graph_id="approval",
        if_exists="raise",
    )
    assert thread["thread_id"] == thread_id
    assert thread["metadata"] == {
        "user": "ada",
        "deep": {"n": [1, 2]},
        "graph_id": "approval",
    }


async def test_a_thread_is_created_once(client: Client):
    first = await client.threads.create(metadata={"take": 1})
    thread_id = first["thread_id"]
    with refused(ConflictError, "Thread already exists"):
        await client.threads.create(thread_id=thread_id)
    again = await client.threads.create(
        thread_id=thread_id, if_exists="do_nothing", metadata={"take": 2}
    )
    assert again == first


async def test_a_thread_starts_with_supersteps(client: Client):
    thread = await client.threads.create(
        graph_id="approval",
        supersteps=[
            {"updates": [{"values": {"to": "Ada"}, "as_node": "__input__"}]},
            {"updates": [{"values": {"to": "Ada"}, "as_node": "__start__"}]},
            {"updates": [{"values": {"letter": "Hi"}, "as_node": "write"}]},
        ],
    )
    assert thread["values"] == {"to": "Ada", "letter": "Hi", "log": []}
    state = await client.threads.get_state(thread["thread_id"])
    assert state["next"] == ["approve"]
    assert len(await client.threads.get_history(thread["thread_id"])) == 3


async def test_a_superstep_may_be_a_command(client: Client):
    thread = await client.threads.create(
        graph_id="approval",
        supersteps=[
            {"updates": [{"values": {"to": "Ada"}, "as_node": "__input__"}]},
            {
                "updates": [
                    {
                        "values": None,
                        "command": {"update": {"letter": "Hi"}, "goto": "send"},
                        "as_node": "write",
                    }
                ]
            },
        ],
    )
    assert thread["values"]["letter"] == "Hi"


async def test_supersteps_that_cannot_be_leave_no_thread(client: Client):
    thread_id = str(uuid4())
    step = {"updates": [{"values": {}, "as_node": "write"}]}
    with refused(BadRequestError, f"Thread {thread_id} has no graph ID"):
        await client.threads.create(thread_id=thread_id, supersteps=[step])
    with refused(NotFoundError, f"Thread with ID {thread_id} not found"):
        await client.threads.get(thread_id)


@pytest.mark.parametrize(
    ("ttl", "strategy", "minutes"),
    [
        (60, "delete", 60),
        ({"ttl": 7, "strategy": "keep_latest"}, "keep_latest", 7),
        ({"ttl": 1.5}, "delete", 1.5),
    ],
)
async def test_the_time_to_live_is_shown_to_those_who_ask(
    client: Client, ttl: object, strategy: str, minutes: float
):
    thread = await client.threads.create(ttl=ttl)
    shown = await client.threads.get(thread["thread_id"], include=["ttl"])
    assert shown["ttl"]["strategy"] == strategy
    assert shown["ttl"]["ttl_minutes"] == minutes
    expires = datetime.fromisoformat(shown["ttl"]["expires_at"].replace("Z", "+00:00"))
    assert abs(expires.timestamp() - time.time() - minutes * 60) < 60
    assert "ttl" not in await client.threads.get(thread["thread_id"])


async def test_wrong_options_are_refused_by_their_names(client: Client):
    with refused(UnprocessableEntityError, "thread_id: must be a UUID"):
        await client.threads.create(thread_id="mine")
    with refused(UnprocessableEntityError, "thread_id: must be a UUID"):
        await client.threads.get("a/b")
    with refused(UnprocessableEntityError, "metadata: must be an object"):
        await client.threads.update(NOBODY, metadata="text")


async def test_an_update_merges_metadata(client: Client):
    thread = await client.threads.create(metadata={"a": 1, "b": {"x": 1}})
    thread_id = thread["thread_id"]
    updated = await client.threads.update(
        thread_id, metadata={"b": {"y": 2}, "c": None}, ttl=5
    )
    assert updated["metadata"] == {"a": 1, "b": {"y": 2}, "c": None}
    shown = await client.threads.get(thread_id, include=["ttl"])
    assert shown["ttl"]["ttl_minutes"] == 5
    with refused(NotFoundError, "Thread not found"):
        await client.threads.update(NOBODY, metadata={})


async def test_an_update_may_be_answered_with_nothing(client: Client):
    thread = await client.threads.create()
    thread_id = thread["thread_id"]
    answer = await client.threads.update(
        thread_id,
        metadata={"a": 1},
        ttl={"ttl": 3, "strategy": "keep_latest"},
        return_minimal=True,
    )
    assert answer is None
    shown = await client.threads.get(thread_id, include=["ttl"])
    assert shown["metadata"] == {"a": 1}
    assert shown["ttl"]["strategy"] == "keep_latest"


async def test_a_deleted_thread_is_gone_with_its_runs_and_state(client: Client):
    thread_id = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread_id, "fan-out", input={"text": "one"})
    await client.runs.join(thread_id, run["run_id"])
    assert await client.threads.delete(thread_id) is None
    gone = f"Thread with ID {thread_id} not found"
    for request in (
        client.threads.get,
        client.threads.get_state,
        client.threads.get_history,
        client.threads.delete,
        client.runs.list,
    ):
        with refused(NotFoundError, gone):
            await request(thread_id)
    with refused(NotFoundError, "Run not found"):
        await client.runs.get(thread_id, run["run_id"])


async def test_a_copy_has_the_history_of_its_source(client: Client):
    source = (await client.threads.create(metadata={"a": 1}))["thread_id"]
    await client.runs.wait(source, "approval", input={"to": "Ada"})
    copy = await client.threads.copy(source)
    assert copy["thread_id"] != source
    assert copy["metadata"]["a"] == 1

    async def checkpoints(thread_id: str) -> list[tuple[str, object]]:
        history = await client.threads.get_history(thread_id)
        return [(s["checkpoint"]["checkpoint_id"], s["values"]) for s in history]

    assert await checkpoints(copy["thread_id"]) == await checkpoints(source)
    # What was asked in the source can be answered in the copy.
    values = await client.runs.wait(
        copy["thread_id"], "approval", command={"resume": "yes"}
    )
    assert values["log"] == ["written", "approved", "sent"]
    assert (await client.threads.get(source))["status"] == "interrupted"
    with refused(ConflictError, "Thread not found"):
        await client.threads.copy(NOBODY)


async def test_prune_deletes_threads_or_all_but_their_newest_state(client: Client):
    kept, deleted = [(await client.threads.create())["thread_id"] for _ in range(2)]
    for thread_id in (kept, deleted):
        await client.runs.wait(thread_id, "fan-out", input={"text": "one two"})
    before = await client.threads.get_state(kept)
    answer = await client.threads.prune([kept, NOBODY], strategy="keep_latest")
    assert answer == {"pruned_count": 1}
    [state] = await client.threads.get_history(kept)
    assert state["values"] == before["values"]
    assert await client.threads.prune([deleted]) == {"pruned_count": 1}
    with refused(NotFoundError, f"Thread with ID {deleted} not found"):
        await client.threads.get(deleted)
    with refused(UnprocessableEntityError, "thread_ids[0]: must be a UUID"):
        await client.threads.prune(["mine"])


async def test_a_thread_that_does_not_exist_is_not_found(client: Client):
    with refused(NotFoundError, NOT_FOUND):
        await client.threads.get(NOBODY)
    with refused(NotFoundError, NOT_FOUND):
        await client.threads.delete(NOBODY)
