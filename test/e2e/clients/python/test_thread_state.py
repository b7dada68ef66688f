"""State, updates of it, and history."""

from __future__ import annotations

import pytest
from langgraph_sdk.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)

from expectations import NOBODY, refused
from uniform import Client

NOT_FOUND = f"Thread with ID {NOBODY} not found"
FIELDS = {
    "values",
    "next",
    "tasks",
    "checkpoint",
    "metadata",
    "created_at",
    "parent_checkpoint",
    "interrupts",
}


async def asked(client: Client) -> str:
    """The id of a thread that waits for an answer."""
    thread_id = (await client.threads.create())["thread_id"]
    await client.runs.wait(
        thread_id, "approval", input={"to": "Ada"}, metadata={"round": 1}
    )
    return thread_id


async def test_a_thread_without_a_run_has_an_empty_state(client: Client):
    thread_id = (await client.threads.create())["thread_id"]
    state = await client.threads.get_state(thread_id)
    assert set(state) >= FIELDS
    assert (state["values"], state["next"], state["tasks"]) == ({}, [], [])
    assert (state["checkpoint"], state["created_at"]) == (None, None)
    assert await client.threads.get_history(thread_id) == []


async def test_the_state_shows_what_waits_and_for_what(client: Client):
    thread_id = await asked(client)
    state = await client.threads.get_state(thread_id)
    assert state["values"]["log"] == ["written"]
    assert state["next"] == ["approve"]
    [task] = state["tasks"]
    assert (task["name"], task["error"]) == ("approve", None)
    assert task["path"] == ["__pregel_pull", "approve"]
    [interrupt] = task["interrupts"]
    assert interrupt["value"]["question"] == "Send this letter?"
    assert state["interrupts"] == [interrupt]
    assert state["checkpoint"]["thread_id"] == thread_id
    assert state["checkpoint"]["checkpoint_ns"] == ""
    assert state["metadata"]["step"] == 1
    assert state["metadata"]["round"] == 1


async def test_the_state_of_a_subgraph_is_in_its_task_when_asked_for(client: Client):
    thread_id = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread_id, "trip", input={"wish": "a day in Faro"})
    [task] = (await client.threads.get_state(thread_id))["tasks"]
    assert task["state"] is None
    namespace = task["checkpoint"]["checkpoint_ns"]
    assert namespace == f"booking:{task['id']}"
    [task] = (await client.threads.get_state(thread_id, subgraphs=True))["tasks"]
    assert task["checkpoint"] is None
    assert task["state"]["values"]["train"] == "the 9:30 to Faro"
    # By its namespace it is asked for directly, and so is its history.
    checkpoint = {"thread_id": thread_id, "checkpoint_ns": namespace}
    inner = await client.threads.get_state(thread_id, checkpoint)
    assert inner["next"] == ["book"]
    history = await client.threads.get_history(thread_id, checkpoint=checkpoint)
    assert [state["next"] for state in history] == [["book"], ["search"], ["__start__"]]


@pytest.mark.parametrize("way", ["the newest", "by id", "by checkpoint"])
async def test_a_state_gives_the_selected_fields_only(client: Client, way: str):
    thread_id = await asked(client)
    checkpoint = (await client.threads.get_state(thread_id))["checkpoint"]
    place = {
        "the newest": {},
        "by id": {"checkpoint_id": checkpoint["checkpoint_id"]},
        "by checkpoint": {"checkpoint": checkpoint},
    }[way]
    for select, expected in (
        (["next"], {"next": ["approve"]}),
        (["next", "values.to"], {"next": ["approve"], "values": {"to": "Ada"}}),
    ):
        state = await client.threads.get_state(thread_id, select=select, **place)
        assert state == expected
    state = await client.threads.get_state(thread_id, select=sorted(FIELDS), **place)
    assert set(state) == FIELDS


async def test_an_earlier_state_is_read_by_id_or_by_checkpoint(client: Client):
    thread_id = await asked(client)
    _, earlier, _ = await client.threads.get_history(thread_id)
    checkpoint = earlier["checkpoint"]
    by_checkpoint = await client.threads.get_state(
        thread_id, checkpoint=checkpoint, subgraphs=True
    )
    by_id = await client.threads.get_state(
        thread_id, checkpoint_id=checkpoint["checkpoint_id"], subgraphs=True
    )
    assert by_id == by_checkpoint
    assert (by_id["next"], by_id["values"]) == (["write"], earlier["values"])


async def test_a_state_that_is_not_there_is_refused(client: Client):
    thread_id = await asked(client)
    absent = f"Checkpoint {NOBODY} of thread {thread_id} not found"
    with refused(NotFoundError, absent):
        await client.threads.get_state(thread_id, checkpoint_id=NOBODY)
    with refused(NotFoundError, absent):
        await client.threads.get_state(
            thread_id, checkpoint={"thread_id": thread_id, "checkpoint_id": NOBODY}
        )
    with refused(UnprocessableEntityError, "checkpoint.checkpoint_id: must be a UUID"):
        await client.threads.get_state(thread_id, checkpoint={"checkpoint_id": "x"})
    with refused(NotFoundError, NOT_FOUND):
        await client.threads.get_state(NOBODY)


async def test_an_update_is_applied_as_the_node_that_is_named(client: Client):
    thread_id = await asked(client)
    before = await client.threads.get_state(thread_id)
    answer = await client.threads.update_state(
        thread_id, {"letter": "Short.", "log": ["edited"]}, as_node="write"
    )
    state = await client.threads.get_state(thread_id)
    assert answer["checkpoint"] == state["checkpoint"]
    assert state["parent_checkpoint"] == before["checkpoint"]
    assert state["metadata"]["source"] == "update"
    assert state["values"]["log"] == ["written", "edited"]
    assert (await client.threads.get(thread_id))["values"] == state["values"]


@pytest.mark.parametrize("way", ["checkpoint", "checkpoint_id"])
async def test_an_update_of_an_earlier_checkpoint_is_a_fork(client: Client, way: str):
    thread_id = await asked(client)
    _, earlier, _ = await client.threads.get_history(thread_id)
    place = earlier["checkpoint"]
    await client.threads.update_state(
        thread_id,
        {"to": "Bea"},
        **{way: place if way == "checkpoint" else place["checkpoint_id"]},
    )
    state = await client.threads.get_state(thread_id)
    assert state["parent_checkpoint"] == place
    assert state["values"] == {"to": "Bea", "log": []}


async def test_an_update_may_only_mark_a_node_as_done(client: Client):
    thread_id = await asked(client)
    await client.threads.update_state(thread_id, None, as_node="send")
    assert (await client.threads.get_state(thread_id))["next"] == []


async def test_an_update_that_cannot_be_is_refused(client: Client):
    thread_id = await asked(client)
    with refused(UnprocessableEntityError, 'as_node: Node "nope" does not exist'):
        await client.threads.update_state(thread_id, {}, as_node="nope")
    message = "values: must be an object, an array or null"
    with refused(UnprocessableEntityError, message):
        await client.threads.update_state(thread_id, "text")
    with refused(NotFoundError, f"Thread {NOBODY} not found"):
        await client.threads.update_state(NOBODY, {})
    empty = (await client.threads.create())["thread_id"]
    with refused(BadRequestError, f"Thread {empty} has no graph ID"):
        await client.threads.update_state(empty, {})
    await client.runs.create(empty, "slow", after_seconds=3600)
    with refused(ConflictError, "Thread is busy"):
        await client.threads.update_state(empty, {})


async def test_the_history_is_newest_first_with_every_option(client: Client):
    thread_id = await asked(client)
    await client.runs.wait(
        thread_id, "approval", command={"resume": "yes"}, metadata={"round": 2}
    )
    history = await client.threads.get_history(thread_id)
    assert [state["next"] for state in history] == [
        [],
        ["send"],
        ["approve"],
        ["write"],
        ["__start__"],
    ]
    assert await client.threads.get_history(thread_id, limit=2) == history[:2]
    cut = history[1]["checkpoint"]
    for before in (cut, cut["checkpoint_id"]):
        older = await client.threads.get_history(thread_id, before=before)
        assert older == history[2:]
    second = await client.threads.get_history(thread_id, metadata={"round": 2})
    assert second == history[:2]
    slim = await client.threads.get_history(thread_id, limit=1, select=["next"])
    assert slim == [{"next": []}]


async def test_a_history_that_cannot_be_is_refused(client: Client):
    with refused(NotFoundError, NOT_FOUND):
        await client.threads.get_history(NOBODY)
    thread_id = (await client.threads.create())["thread_id"]
    with refused(
        UnprocessableEntityError, "limit: too small: expected number to be >=1"
    ):
        await client.threads.get_history(thread_id, limit=0)
