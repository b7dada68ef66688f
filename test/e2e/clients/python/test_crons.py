"""Crons: created for a thread or without, changed, found, deleted, and fired."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from expectations import NOBODY, TIMESTAMP, UUID, new_thread, refused, until
from uniform import Client

# Far enough away that nothing fires while a test runs.
YEARLY = "0 0 1 1 *"
FAR = datetime(2999, 1, 1, tzinfo=timezone.utc)

FULL: dict[str, Any] = {
    "schedule": YEARLY,
    "input": {"to": "Ada"},
    "metadata": {"team": "blue"},
    "config": {"tags": ["a"]},
    "context": {"language": "en"},
    "checkpoint_during": True,
    "interrupt_before": ["approve"],
    "interrupt_after": "*",
    "webhook": "https://example.com/hook",
    "multitask_strategy": "enqueue",
    "end_time": FAR,
    "enabled": True,
    "timezone": "Asia/Tokyo",
    "stream_mode": ["values", "updates"],
    "stream_subgraphs": True,
    "stream_resumable": True,
    "durability": "sync",
}
KEPT = (
    "input config context interrupt_before interrupt_after webhook "
    "stream_mode stream_subgraphs stream_resumable durability"
).split()


def has(cron: Any, **fields: Any) -> None:
    assert {name: cron[name] for name in fields} == fields


async def test_a_cron_is_created_with_every_option(client: Client):
    cron = await client.crons.create("approval", **FULL, on_run_completed="keep")
    has(
        cron,
        thread_id=None,
        schedule=YEARLY,
        timezone="Asia/Tokyo",
        end_time="2999-01-01T00:00:00.000Z",
        enabled=True,
        metadata=FULL["metadata"],
        on_run_completed="keep",
    )
    assert UUID.fullmatch(cron["cron_id"])
    assert TIMESTAMP.fullmatch(cron["created_at"])
    assert "-12-31T15:00:00" in cron["next_run_date"]
    assert {name: cron["payload"][name] for name in KEPT} == {
        name: FULL[name] for name in KEPT
    }
    no_one = 'No assistant found for "nobody"'
    with refused(NotFoundError, no_one + ". Make sure the assistant ID is for a valid assistant or a valid graph ID."):  # noqa: E501
        await client.crons.create("nobody", schedule=YEARLY)
    with refused(
        UnprocessableEntityError,
        "timezone: must be the IANA name of a time zone, like Europe/Berlin",
    ):
        await client.crons.create("approval", schedule=YEARLY, timezone="Nowhere")


async def test_a_cron_of_a_thread_is_created_with_every_option(client: Client):
    thread_id = await new_thread(client)
    cron = await client.crons.create_for_thread(thread_id, "approval", **FULL)
    has(cron, thread_id=thread_id, on_run_completed=None, timezone="Asia/Tokyo")
    assert cron["payload"]["multitask_strategy"] == "enqueue"
    with refused(NotFoundError, f"Thread with ID {NOBODY} not found"):
        await client.crons.create_for_thread(NOBODY, "approval", schedule=YEARLY)
    with refused(UnprocessableEntityError, "end_time: must be in the future"):
        await client.crons.create_for_thread(
            thread_id, "approval", schedule=YEARLY, end_time=datetime(2000, 1, 1)
        )


async def test_a_cron_is_changed_with_every_option(client: Client):
    cron = await client.crons.create("approval", **FULL)
    changes = {
        "input": {"to": "Bob"},
        "config": {"tags": ["b"]},
        "context": {"language": "fr"},
        "webhook": "https://example.com/other",
        "interrupt_before": "*",
        "interrupt_after": ["send"],
        "stream_mode": ["custom"],
        "stream_subgraphs": False,
        "stream_resumable": False,
        "durability": "exit",
    }
    changed = await client.crons.update(
        cron["cron_id"],
        schedule="0 12 1 1 *",
        timezone="Europe/Berlin",
        metadata={"size": 1},
        on_run_completed="keep",
        enabled=True,
        end_time=datetime(2998, 1, 1),
        **changes,
    )
    has(
        changed,
        schedule="0 12 1 1 *",
        timezone="Europe/Berlin",
        metadata={"team": "blue", "size": 1},
        on_run_completed="keep",
        end_time="2998-01-01T00:00:00.000Z",
    )
    assert "-01-01T11:00:00" in changed["next_run_date"]
    assert {name: changed["payload"][name] for name in KEPT} == changes
    cleared = await client.crons.update(cron["cron_id"], end_time=None)
    has(cleared, end_time=None, schedule="0 12 1 1 *")
    disabled = await client.crons.update(cron["cron_id"], enabled=False)
    has(disabled, enabled=False, next_run_date=None, end_time=None)
    with refused(NotFoundError, "Cron not found"):
        await client.crons.update(NOBODY, enabled=False)


async def test_crons_are_found_by_every_filter(client: Client, tag: str):
    assistant = await client.assistants.create("approval")
    thread_id = await new_thread(client)
    of = {"assistant_id": assistant["assistant_id"]}
    made = [
        await client.crons.create(
            of["assistant_id"], schedule=YEARLY, enabled=enabled, metadata={"tag": tag}
        )
        for enabled in (True, False)
    ]
    made.append(
        await client.crons.create_for_thread(
            thread_id, of["assistant_id"], schedule=YEARLY
        )
    )
    ids = [cron["cron_id"] for cron in made]

    async def found(**query: Any) -> list[str]:
        crons = await client.crons.search(**of, **query)
        return [cron["cron_id"] for cron in crons]

    assert await found(sort_by="created_at", sort_order="asc") == ids
    assert await found(sort_by="created_at", sort_order="asc", limit=1, offset=1) == [
        ids[1]
    ]
    assert await found(enabled=False) == [ids[1]]
    assert await found(thread_id=thread_id) == [ids[2]]
    assert sorted(await found(metadata={"tag": tag})) == sorted(ids[:2])
    selected = await client.crons.search(
        thread_id=thread_id, select=["cron_id", "schedule"]
    )
    assert selected == [{"cron_id": ids[2], "schedule": YEARLY}]
    assert await client.crons.count(**of) == 3
    assert await client.crons.count(**of, thread_id=thread_id) == 1
    assert await client.crons.count(**of, metadata={"tag": tag}) == 2
    with refused(
        UnprocessableEntityError, "limit: too small: expected number to be >=1"
    ):
        await client.crons.search(limit=0)
    with refused(UnprocessableEntityError, "thread_id: must be a UUID"):
        await client.crons.count(thread_id="nobody")


async def test_a_cron_is_deleted(client: Client):
    cron = await client.crons.create("approval", schedule=YEARLY)
    await client.crons.delete(cron["cron_id"])
    with refused(NotFoundError, "Cron not found"):
        await client.crons.delete(cron["cron_id"])


async def test_a_cron_by_the_second_creates_runs_on_its_thread(client: Client):
    thread_id = await new_thread(client)
    cron = await client.crons.create_for_thread(
        thread_id, "fan-out", schedule="* * * * * *", input={"text": "a bc"}
    )

    async def has_fired_twice() -> bool:
        runs = await client.runs.list(thread_id)
        fired = [
            run
            for run in runs
            if run["status"] == "success"
            and run["metadata"].get("cron_id") == cron["cron_id"]
        ]
        return len(fired) > 1

    await until("it has fired twice", has_fired_twice)
    await client.crons.delete(cron["cron_id"])
