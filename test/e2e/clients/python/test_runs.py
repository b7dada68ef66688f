"""The methods of `client.runs` on the runs of a thread."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.errors import (
    NotFoundError,
    UnprocessableEntityError,
)

from expectations import (
    NO_ASSISTANT,
    NOBODY,
    TIMESTAMP,
    UUID,
    new_thread,
    refused,
    refused_untyped,
)
from uniform import Client

NO_THREAD = f"Thread with ID {NOBODY} not found"


async def test_a_run_is_accepted_at_once_and_ends_by_itself(client: Client):
    thread_id = await new_thread(client)
    run = await client.runs.create(thread_id, "fan-out", input={"text": "a bc"})
    assert UUID.fullmatch(run["run_id"])
    assert run["thread_id"] == thread_id
    assert run["status"] == "pending"
    assert run["multitask_strategy"] == "enqueue"
    assert TIMESTAMP.fullmatch(run["created_at"])
    values = await client.runs.join(thread_id, run["run_id"])
    assert values == {"text": "a bc", "lengths": [1, 2], "total": 3}
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "success"
    assert (await client.threads.get(thread_id))["values"] == values


async def test_a_run_keeps_every_option_of_its_creator(client: Client):
    thread_id = await new_thread(client)
    created: list[Any] = []
    run = await client.runs.create(
        thread_id,
        "approval",
        input={"to": "Ada"},
        stream_mode=["values", "updates"],
        stream_subgraphs=True,
        stream_resumable=True,
        metadata={"team": "red"},
        config={"tags": ["a"], "recursion_limit": 9, "configurable": {"x": 1}},
        context={"language": "en"},
        interrupt_before=["send"],
        interrupt_after=["write"],
        webhook="http://127.0.0.1:9/nobody",
        multitask_strategy="reject",
        if_not_exists="reject",
        on_completion="keep",
        after_seconds=3600,
        langsmith_tracing={"project_name": "p"},
        on_run_created=created.append,
        durability="sync",
        strict_resume=True,
    )
    assert created == [{"run_id": run["run_id"], "thread_id": thread_id}]
    assert run["metadata"]["team"] == "red"
    assert run["multitask_strategy"] == "reject"
    kwargs = run["kwargs"]
    assert kwargs["config"]["tags"] == ["a"]
    assert kwargs["config"]["recursion_limit"] == 9
    assert kwargs["config"]["configurable"]["x"] == 1
    expected = {
        "input": {"to": "Ada"},
        "stream_mode": ["values", "updates"],
        "subgraphs": True,
        "resumable": True,
        "context": {"language": "en"},
        "interrupt_before": ["send"],
        "interrupt_after": ["write"],
        "webhook": "http://127.0.0.1:9/nobody",
        "durability": "sync",
        "strict_resume": True,
    }
    assert {key: kwargs[key] for key in expected} == expected
    stored = await client.runs.get(thread_id, run["run_id"])
    assert stored["kwargs"] == kwargs


async def test_a_wait_gives_the_last_values(client: Client):
    thread_id = await new_thread(client)
    created: list[Any] = []
    values = await client.runs.wait(
        thread_id,
        "approval",
        input={"to": "Ada"},
        metadata={"team": "red"},
        config={"tags": ["a"]},
        context={"language": "en"},
        interrupt_before=["send"],
        webhook="http://127.0.0.1:9/nobody",
        on_disconnect="continue",
        multitask_strategy="enqueue",
        if_not_exists="reject",
        on_completion="keep",
        after_seconds=0,
        langsmith_tracing={"project_name": "p"},
        on_run_created=created.append,
        durability="exit",
    )
    assert values["log"] == ["written"]
    [interrupt] = values["__interrupt__"]
    assert interrupt["value"]["question"] == "Send this letter?"
    [run] = await client.runs.list(thread_id)
    assert created == [{"run_id": run["run_id"], "thread_id": thread_id}]
    assert run["metadata"]["team"] == "red"
    # With `exit` nothing but the end is stored.
    assert len(await client.threads.get_history(thread_id)) == 1


async def test_a_run_stops_at_a_breakpoint_and_goes_on_with_nothing(client: Client):
    thread_id = await new_thread(client)
    options = {"before": {"interrupt_before": "*"}, "after": {"interrupt_after": "*"}}
    await client.runs.wait(
        thread_id, "fan-out", input={"text": "a"}, **options["before"]
    )
    thread = await client.threads.get(thread_id)
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {})
    await client.runs.wait(thread_id, "fan-out", **options["after"])
    assert (await client.threads.get_state(thread_id))["next"] == ["sum"]
    values = await client.runs.wait(thread_id, "fan-out")
    assert values["total"] == 1


async def test_a_command_answers_updates_and_directs(client: Client):
    thread_id = await new_thread(client)
    await client.runs.wait(thread_id, "approval", input={"to": "Ada"})
    values = await client.runs.wait(
        thread_id,
        "approval",
        command={"resume": "yes", "update": {"log": ["asked"]}, "goto": None},
        strict_resume=True,
    )
    assert values["log"][-2:] == ["approved", "sent"]
    assert "asked" in values["log"]
    values = await client.runs.wait(thread_id, "approval", command={"goto": "send"})
    assert values["log"][-1] == "sent"


async def test_several_questions_are_answered_by_their_ids(client: Client):
    thread_id = await new_thread(client)
    values = await client.runs.wait(
        thread_id, "parallel-approvals", input={"amounts": [20, 300]}
    )
    answers = {
        interrupt["id"]: f"ok {interrupt['value']['amount']}"
        for interrupt in values["__interrupt__"]
    }
    values = await client.runs.wait(
        thread_id, "parallel-approvals", command={"resume": answers}
    )
    assert values["decisions"] == ["20: ok 20", "300: ok 300"]


async def test_an_answer_that_nobody_waits_for_fails_a_strict_run(client: Client):
    thread_id = await new_thread(client)
    await client.runs.wait(thread_id, "approval", input={"to": "Ada"})
    with pytest.raises(Exception, match="^UnknownInterruptError: "):
        await client.runs.wait(
            thread_id,
            "approval",
            command={"resume": {"0" * 32: "yes"}},
            strict_resume=True,
        )
    assert (await client.threads.get(thread_id))["status"] == "interrupted"


@pytest.mark.parametrize("way", ["checkpoint", "checkpoint_id"])
async def test_a_run_starts_at_the_checkpoint_that_is_named(client: Client, way: str):
    thread_id = await new_thread(client)
    await client.runs.wait(thread_id, "fan-out", input={"text": "a bc"})
    history = await client.threads.get_history(thread_id)
    [earlier] = [state for state in history if state["next"] == ["sum"]]
    place = earlier["checkpoint"]
    point = place if way == "checkpoint" else place["checkpoint_id"]
    values = await client.runs.wait(thread_id, "fan-out", **{way: point})
    assert values["total"] == 3
    run = await client.runs.create(thread_id, "fan-out", **{way: point})
    assert (await client.runs.join(thread_id, run["run_id"]))["total"] == 3
    # A branch per run, beside the one that was there.
    history = await client.threads.get_history(thread_id)
    assert [state["parent_checkpoint"] for state in history].count(place) == 3


@pytest.mark.parametrize("during", [True, False])
async def test_the_deprecated_checkpoint_during_still_counts(
    client: Client, during: bool
):
    thread_id = await new_thread(client)
    for method in (client.runs.wait, client.runs.create):
        with pytest.warns(DeprecationWarning):
            await method(
                thread_id, "fan-out", input={"text": "a"}, checkpoint_during=during
            )
    latest, first = await client.runs.list(thread_id)
    durability = "async" if during else "exit"
    assert latest["kwargs"]["durability"] == durability
    assert first["kwargs"]["durability"] == durability
    await client.runs.join(thread_id, latest["run_id"])


async def test_a_failed_run_is_raised_by_wait_and_told_by_join(client: Client):
    thread_id = await new_thread(client)
    boo = {"kind": "custom"}
    with pytest.raises(Exception, match="^CustomError: Boo!$"):
        await client.runs.wait(thread_id, "throws", input=boo)
    values = await client.runs.wait(thread_id, "throws", input=boo, raise_error=False)
    assert values["__error__"] == {"error": "CustomError", "message": "Boo!"}
    run = await client.runs.create(thread_id, "throws", input=boo)
    await client.runs.join(thread_id, run["run_id"])
    assert (await client.runs.get(thread_id, run["run_id"]))["status"] == "error"
    thread = await client.threads.get(thread_id)
    assert thread["status"] == "error"
    assert "Boo!" in str(thread["error"])
    with pytest.raises(Exception, match="^GraphRecursionError: "):
        await client.runs.wait(
            thread_id,
            "throws",
            input={"kind": "recursion"},
            config={"recursion_limit": 4},
        )


async def test_a_missing_thread_is_created_for_who_wants_that(client: Client, tag: str):
    for n, method in enumerate((client.runs.wait, client.runs.create)):
        thread_id = f"{tag[:-1]}{n}"
        await method(
            thread_id,
            "fan-out",
            input={"text": "a"},
            if_not_exists="create",
            metadata={"tag": tag},
        )
        thread = await client.threads.get(thread_id)
        assert thread["metadata"]["graph_id"] == "fan-out"
        assert thread["metadata"]["tag"] == tag


async def test_a_run_that_cannot_be_is_refused(client: Client):
    thread_id = await new_thread(client)
    with refused(NotFoundError, NO_ASSISTANT):
        await client.runs.create(thread_id, "nobody")
    with refused(NotFoundError, NO_THREAD):
        await client.runs.create(NOBODY, "agent")
    with refused_untyped(404, NO_ASSISTANT):
        await client.runs.wait(thread_id, "nobody")
    with refused_untyped(404, NO_THREAD):
        await client.runs.wait(NOBODY, "agent")
    message = "multitask_strategy: must be one of reject, rollback, interrupt, enqueue"
    with refused(UnprocessableEntityError, message):
        await client.runs.create(thread_id, "agent", multitask_strategy="fight")
    with refused_untyped(422, message):
        await client.runs.wait(thread_id, "agent", multitask_strategy="fight")
    assert await client.runs.list(thread_id) == []
