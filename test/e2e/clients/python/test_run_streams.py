"""`client.runs.stream`: what comes in it."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from expectations import (
    NO_ASSISTANT,
    NOBODY,
    collect,
    data_of,
    events_of,
    new_thread,
    refused,
)
from uniform import Client

INPUT = {"text": "a bc"}
STEPS = [
    {"text": "a bc", "lengths": []},
    {"text": "a bc", "lengths": [1, 2]},
    {"text": "a bc", "lengths": [1, 2], "total": 3},
]


async def streamed(client: Client, graph: str, **options: Any) -> list[Any]:
    return await collect(client.runs.stream(await new_thread(client), graph, **options))


async def test_a_stream_has_the_values_of_each_step_and_an_end(client: Client):
    thread_id = await new_thread(client)
    parts = await collect(client.runs.stream(thread_id, "fan-out", input=INPUT))
    [run] = await client.runs.list(thread_id)
    run_id = run["run_id"]
    assert [(part.event, part.data) for part in parts] == [
        ("metadata", {"run_id": run_id, "attempt": 1}),
        *(("values", step) for step in STEPS),
        ("end", {"run_id": run_id, "status": "success"}),
    ]
    ids = [int(part.id) for part in parts]
    assert ids == sorted(set(ids))


async def test_a_stream_takes_every_option(client: Client):
    thread_id = await new_thread(client)
    created: list[Any] = []
    parts = await collect(
        client.runs.stream(
            thread_id,
            "approval",
            input={"to": "Ada"},
            stream_mode=["values", "updates"],
            stream_subgraphs=True,
            stream_resumable=True,
            metadata={"team": "red"},
            config={"tags": ["a"]},
            context={"language": "en"},
            interrupt_before=["send"],
            interrupt_after=["write"],
            feedback_keys=["thumbs"],
            on_disconnect="continue",
            on_completion="keep",
            webhook="http://127.0.0.1:9/nobody",
            multitask_strategy="reject",
            if_not_exists="create",
            after_seconds=0,
            langsmith_tracing={"project_name": "p"},
            on_run_created=created.append,
            durability="sync",
            strict_resume=False,
        )
    )
    assert data_of(parts, "end")[0]["status"] == "success"
    assert (await client.threads.get_state(thread_id))["next"] == ["approve"]
    [run] = await client.runs.list(thread_id)
    assert created == [{"run_id": run["run_id"], "thread_id": thread_id}]
    kwargs = run["kwargs"]
    assert kwargs["resumable"] is True
    assert kwargs["feedback_keys"] == ["thumbs"]
    assert kwargs["durability"] == "sync"


async def test_the_second_version_of_a_stream_has_types_and_interrupts(client: Client):
    parts = await streamed(
        client,
        "approval",
        input={"to": "Ada"},
        stream_mode=["values", "updates"],
        version="v2",
    )
    assert {part["type"] for part in parts} == {"metadata", "values", "updates"}
    *_, last = [part for part in parts if part["type"] == "values"]
    [interrupt] = last["interrupts"]
    assert interrupt["value"]["question"] == "Send this letter?"
    assert "__interrupt__" not in last["data"]
    assert last["ns"] == []


MODES = {
    "values": {"values"},
    "updates": {"updates"},
    "messages": {"messages/metadata", "messages/partial", "messages/complete"},
    "messages-tuple": {"messages"},
    "events": {"events"},
    "debug": {"debug"},
    "tasks": {"tasks"},
    "checkpoints": {"checkpoints"},
}


@pytest.mark.parametrize("mode", MODES)
async def test_a_mode_has_its_events_and_no_others(client: Client, mode: str):
    parts = await streamed(
        client,
        "agent",
        input={"messages": [{"role": "user", "content": "hello"}]},
        stream_mode=mode,
    )
    events = events_of(parts)
    assert (events[0], events[-1]) == ("metadata", "end")
    assert set(events[1:-1]) == MODES[mode]


async def test_subgraphs_tell_of_their_start_and_end(client: Client):
    parts = await streamed(
        client, "office", input={"mode": ""}, stream_mode=["lifecycle", "unheard-of"]
    )
    told = [
        (part.event.count("|"), part.data["event"])
        for part in parts
        if part.event.startswith("lifecycle|desk:")
    ]
    assert told == [(1, "started"), (2, "started"), (2, "completed"), (1, "completed")]


async def test_tools_tell_of_their_progress(client: Client):
    parts = await streamed(client, "workshop", input={}, stream_mode="tools")
    assert [part["event"] for part in data_of(parts, "tools")] == [
        "on_tool_start",
        "on_tool_event",
        "on_tool_event",
        "on_tool_end",
        "on_tool_start",
        "on_tool_error",
    ]


async def test_tokens_come_as_message_chunks(client: Client):
    parts = await streamed(
        client,
        "agent",
        input={"messages": [{"role": "user", "content": "hello"}]},
        stream_mode="messages-tuple",
    )
    chunks = data_of(parts, "messages")
    told = "".join(message["content"] for message, _ in chunks)
    assert told.endswith(
        'You said "hello". That was message 1 from you in this thread.'
    )
    assert chunks[-1][1]["langgraph_node"] == "agent"


async def test_what_a_node_writes_comes_in_custom_parts(client: Client):
    parts = await streamed(
        client, "slow", input={"steps": 2, "seconds": 0}, stream_mode=["custom"]
    )
    assert data_of(parts, "custom") == [
        {"progress": "step 1 of 2"},
        {"progress": "step 2 of 2"},
    ]


async def test_subgraphs_stream_under_their_namespace(client: Client):
    parts = await streamed(
        client,
        "trip",
        input={"wish": "a day in Faro"},
        stream_mode="updates",
        stream_subgraphs=True,
        version="v2",
    )
    [inner] = [part for part in parts if part["ns"] and "search" in part["data"]]
    [namespace] = inner["ns"]
    assert namespace.startswith("booking:")
    assert inner["data"] == {"search": {"train": "the 9:30 to Faro"}}


async def test_an_interrupt_shows_in_updates_and_is_answered_by_a_command(
    client: Client,
):
    thread_id = await new_thread(client)
    parts = await collect(
        client.runs.stream(
            thread_id, "approval", input={"to": "Ada"}, stream_mode="updates"
        )
    )
    [interrupt] = data_of(parts, "updates")[-1]["__interrupt__"]
    assert interrupt["value"]["question"] == "Send this letter?"
    parts = await collect(
        client.runs.stream(
            thread_id,
            "approval",
            command={"resume": {interrupt["id"]: "yes"}},
            strict_resume=True,
        )
    )
    assert data_of(parts, "values")[-1]["log"] == ["written", "approved", "sent"]


@pytest.mark.parametrize("way", ["checkpoint", "checkpoint_id"])
async def test_a_stream_starts_at_the_checkpoint_that_is_named(
    client: Client, way: str
):
    thread_id = await new_thread(client)
    await client.runs.wait(thread_id, "fan-out", input=INPUT)
    history = await client.threads.get_history(thread_id)
    [earlier] = [state for state in history if state["next"] == ["sum"]]
    place = earlier["checkpoint"]
    point = place if way == "checkpoint" else place["checkpoint_id"]
    parts = await collect(
        client.runs.stream(thread_id, "fan-out", stream_mode="updates", **{way: point})
    )
    assert data_of(parts, "updates") == [{"sum": {"total": 3}}]


async def test_the_deprecated_checkpoint_during_still_counts(client: Client):
    thread_id = await new_thread(client)
    with pytest.warns(DeprecationWarning):
        await collect(
            client.runs.stream(
                thread_id, "fan-out", input=INPUT, checkpoint_during=False
            )
        )
    assert len(await client.threads.get_history(thread_id)) == 1


async def test_the_error_of_a_run_is_a_part_before_its_end(client: Client):
    parts = await streamed(client, "throws", input={"kind": "custom"})
    assert events_of(parts)[-2:] == ["error", "end"]
    assert parts[-2].data == {"error": "CustomError", "message": "Boo!"}
    assert parts[-1].data["status"] == "error"


async def test_a_stream_that_cannot_be_is_refused(client: Client):
    thread_id = await new_thread(client)
    with refused(NotFoundError, NO_ASSISTANT):
        await collect(client.runs.stream(thread_id, "nobody"))
    with refused(NotFoundError, f"Thread with ID {NOBODY} not found"):
        await collect(client.runs.stream(NOBODY, "agent"))
    known = (
        "values, updates, messages, messages-tuple, custom, events, debug, tasks, "
        "checkpoints, tools, lifecycle"
    )
    with refused(
        UnprocessableEntityError, f'stream_mode: unknown mode "x"; known are {known}'
    ):
        await collect(client.runs.stream(thread_id, "agent", stream_mode="x"))
