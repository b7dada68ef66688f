"""The methods of `client.assistants` on one assistant."""

from __future__ import annotations

from uuid import uuid4

import pytest
from langgraph_sdk.errors import (
    ConflictError,
    NotFoundError,
    UnprocessableEntityError,
)

from expectations import NOBODY, TIMESTAMP, UUID, refused
from uniform import Client

NOT_FOUND = "Assistant not found"


async def test_a_graph_has_an_assistant_that_is_found_by_either_name(client: Client):
    assistant = await client.assistants.get("agent")
    # The id that every server gives to the assistant of a graph `agent`.
    assert assistant["assistant_id"] == "fe096781-5601-53d2-b2f6-0d3403f7e9ca"
    assert assistant["metadata"] == {"created_by": "system"}
    assert assistant == await client.assistants.get(assistant["assistant_id"])


async def test_an_assistant_takes_every_option_of_its_creator(client: Client):
    assistant_id = str(uuid4())
    created = await client.assistants.create(
        "memory",
        {"tags": ["a"], "recursion_limit": 7, "configurable": {"user_id": "ada"}},
        context={"language": "en"},
        metadata={"team": "red"},
        assistant_id=assistant_id,
        if_exists="raise",
        name="Ada's memory",
        description="Remembers Ada",
    )
    assert TIMESTAMP.fullmatch(created.pop("created_at"))
    assert TIMESTAMP.fullmatch(created.pop("updated_at"))
    assert created == {
        "assistant_id": assistant_id,
        "graph_id": "memory",
        "config": {
            "tags": ["a"],
            "recursion_limit": 7,
            "configurable": {"user_id": "ada"},
        },
        "context": {"language": "en"},
        "metadata": {"team": "red"},
        "name": "Ada's memory",
        "description": "Remembers Ada",
        "version": 1,
    }


async def test_an_assistant_needs_nothing_but_a_graph(client: Client):
    created = await client.assistants.create("agent")
    assert UUID.fullmatch(created["assistant_id"])
    assert created["name"] == "Untitled"
    assert (created["config"], created["context"]) == ({}, {})


async def test_an_assistant_is_created_once(client: Client):
    first = await client.assistants.create("agent", metadata={"take": 1})
    assistant_id = first["assistant_id"]
    with refused(ConflictError, "Assistant already exists"):
        await client.assistants.create("agent", assistant_id=assistant_id)
    again = await client.assistants.create(
        "agent", assistant_id=assistant_id, if_exists="do_nothing", name="second"
    )
    assert again == first


async def test_an_assistant_of_what_is_not_there_is_refused(client: Client):
    with refused(NotFoundError, "Graph 'nobody' not found"):
        await client.assistants.create("nobody")
    with refused(UnprocessableEntityError, "assistant_id: must be a UUID"):
        await client.assistants.create("agent", assistant_id="mine")


async def test_a_run_takes_the_configuration_of_its_assistant(client: Client):
    user = str(uuid4())
    assistant = await client.assistants.create(
        "memory", config={"configurable": {"user_id": user}}
    )
    first = {"fact": "likes tea"}
    await client.runs.wait(None, assistant["assistant_id"], input=first)
    values = await client.runs.wait(
        None,
        "memory",
        input={"question": "What?"},
        config={"configurable": {"user_id": user}},
    )
    assert values["answer"] == "likes tea"


async def test_an_update_makes_a_version_with_every_option(client: Client):
    created = await client.assistants.create(
        "agent", metadata={"a": 1, "b": 1}, config={"tags": ["old"]}
    )
    updated = await client.assistants.update(
        created["assistant_id"],
        graph_id="memory",
        config={"tags": ["new"]},
        context={"n": 1},
        metadata={"b": 2},
        name="Renamed",
        description="Described",
    )
    expected = {
        "graph_id": "memory",
        # Either of context and configurable is taken for the other when it is alone.
        "config": {"tags": ["new"], "configurable": {"n": 1}},
        "context": {"n": 1},
        "metadata": {"a": 1, "b": 2},
        "name": "Renamed",
        "description": "Described",
        "version": 2,
    }
    assert {key: updated[key] for key in expected} == expected
    assert updated == await client.assistants.get(created["assistant_id"])


async def test_an_update_of_what_is_not_there_is_refused(client: Client):
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.update(NOBODY, name="x")
    created = await client.assistants.create("agent")
    with refused(NotFoundError, "Graph 'nobody' not found"):
        await client.assistants.update(created["assistant_id"], graph_id="nobody")


async def test_an_old_version_can_be_made_the_latest_again(client: Client):
    created = await client.assistants.create(
        "agent", name="one", context={"n": 1}, description="first"
    )
    assistant_id = created["assistant_id"]
    await client.assistants.update(assistant_id, name="two", context={"n": 2})
    restored = await client.assistants.set_latest(assistant_id, 1)
    assert (restored["version"], restored["name"]) == (1, "one")
    assert (restored["context"], restored["description"]) == ({"n": 1}, "first")
    # The next version is a new one all the same.
    after = await client.assistants.update(assistant_id, name="three")
    assert after["version"] == 3
    with refused(NotFoundError, "Assistant version not found"):
        await client.assistants.set_latest(assistant_id, 9)
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.set_latest(NOBODY, 1)


async def test_versions_are_listed_newest_first(client: Client):
    created = await client.assistants.create("agent", metadata={"take": 1})
    assistant_id = created["assistant_id"]
    for take in (2, 3):
        await client.assistants.update(assistant_id, metadata={"take": take})

    async def versions(**options: object) -> list[int]:
        found = await client.assistants.get_versions(assistant_id, **options)
        return [version["version"] for version in found]

    assert await versions() == [3, 2, 1]
    assert await versions(limit=1, offset=1) == [2]
    assert await versions(metadata={"take": 1}) == [1]
    with refused(
        UnprocessableEntityError, "limit: too small: expected number to be >=1"
    ):
        await versions(limit=0)
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.get_versions(NOBODY)


@pytest.mark.parametrize("with_threads", [False, True])
async def test_a_deleted_assistant_is_gone(client: Client, with_threads: bool):
    created = await client.assistants.create("fan-out")
    assistant_id = created["assistant_id"]
    thread = await client.threads.create()
    thread_id = thread["thread_id"]
    await client.runs.wait(thread_id, assistant_id, input={"text": "one"})
    options = {"delete_threads": True} if with_threads else {}
    assert await client.assistants.delete(assistant_id, **options) is None
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.get(assistant_id)
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.delete(assistant_id)
    if with_threads:
        with refused(NotFoundError, f"Thread with ID {thread_id} not found"):
            await client.threads.get(thread_id)
    else:
        assert (await client.threads.get(thread_id))["thread_id"] == thread_id


async def test_an_assistant_that_does_not_exist_is_not_found(client: Client):
    # A name with a slash stays one name: the SDK encodes it.
    for name in (NOBODY, "nobody", "a/b", "a b?c#d"):
        with refused(NotFoundError, NOT_FOUND):
            await client.assistants.get(name)
