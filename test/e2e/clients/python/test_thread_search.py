"""Lists of threads."""

from __future__ import annotations

from langgraph_sdk.errors import UnprocessableEntityError

from expectations import refused
from uniform import Client

STATUSES = "must be one of idle, busy, interrupted, error"
FIELDS = [
    "thread_id",
    "created_at",
    "updated_at",
    "metadata",
    "config",
    "status",
    "values",
    "interrupts",
]


async def one_of_each_status(client: Client, tag: str) -> dict[str, str]:
    """The ids of threads, by status, in the order of their making."""

    async def made(graph: str, **options: object) -> str:
        metadata = {"tag": tag, "graph": graph}
        thread_id = (await client.threads.create(metadata=metadata))["thread_id"]
        await client.runs.wait(thread_id, graph, raise_error=False, **options)
        return thread_id

    busy = await client.threads.create(metadata={"tag": tag, "graph": "slow"})
    await client.runs.create(busy["thread_id"], "slow", after_seconds=3600)
    return {
        "busy": busy["thread_id"],
        "idle": await made("fan-out", input={"text": "a bc"}),
        "interrupted": await made("approval", input={"to": "Ada"}),
        "error": await made("failing", input={"item": "lamp", "stock": 0}),
    }


async def test_a_search_filters_by_every_option(client: Client, tag: str):
    ids = await one_of_each_status(client, tag)

    async def found(**options: object) -> list[str]:
        metadata = {"tag": tag}
        rows = await client.threads.search(**{"metadata": metadata, **options})
        return [row["thread_id"] for row in rows]

    assert sorted(await found()) == sorted(ids.values())
    for status, thread_id in ids.items():
        assert await found(status=status) == [thread_id]
    assert await found(metadata={"tag": tag, "graph": "slow"}) == [ids["busy"]]
    assert await found(values={"total": 3}) == [ids["idle"]]
    assert await found(values={"lengths": [2]}) == [ids["idle"]]
    two = [ids["idle"], ids["error"]]
    assert sorted(await found(ids=two)) == sorted(two)
    assert await found(metadata={"tag": "of nothing"}) == []


async def test_a_search_sorts_and_gives_pages(client: Client, tag: str):
    metadata = {"tag": tag}
    made = [
        (await client.threads.create(metadata=metadata))["thread_id"] for _ in range(3)
    ]
    await client.threads.update(made[0], metadata={"touched": True})
    # Each with the order in which it is ascending.
    touched_last = [*made[1:], made[0]]
    orders = {
        "thread_id": sorted(made),
        "status": sorted(made),
        "created_at": made,
        "updated_at": touched_last,
    }
    for sort_by, expected in orders.items():
        for sort_order, ids in (("asc", expected), ("desc", expected[::-1])):
            rows = await client.threads.search(
                metadata=metadata, sort_by=sort_by, sort_order=sort_order
            )
            got = [row["thread_id"] for row in rows]
            assert sorted(got) == sorted(ids)
            if sort_by != "status":  # all are idle
                assert got == ids, (sort_by, sort_order)
    # Without a word about it: what changed last comes first.
    rows = await client.threads.search(metadata=metadata, limit=1)
    assert [row["thread_id"] for row in rows] == [made[0]]
    rows = await client.threads.search(metadata=metadata, limit=2, offset=2)
    assert [row["thread_id"] for row in rows] == [made[1]]


async def test_a_search_gives_what_was_selected_and_extracted(client: Client, tag: str):
    thread_id = (await client.threads.create(metadata={"tag": tag}))["thread_id"]
    await client.runs.wait(thread_id, "fan-out", input={"text": "a bc"})
    metadata = {"tag": tag}
    [row] = await client.threads.search(
        metadata=metadata,
        select=["thread_id"],
        extract={
            "total": "values.total",
            "last": "values.lengths[-1]",
            "tag": "metadata.tag",
            "none": "values.no.such",
        },
    )
    extracted = {"total": 3, "last": 2, "tag": tag, "none": None}
    assert row == {"thread_id": thread_id, "extracted": extracted}
    [row] = await client.threads.search(metadata=metadata, select=FIELDS)
    assert set(row) == set(FIELDS)


async def test_a_search_for_what_cannot_be_is_refused(client: Client):
    with refused(UnprocessableEntityError, f"status: {STATUSES}"):
        await client.threads.search(status="asleep")
    with refused(UnprocessableEntityError, "ids[0]: must be a UUID"):
        await client.threads.search(ids=["mine"])
    with refused(
        UnprocessableEntityError, "limit: too big: expected number to be <=1000"
    ):
        await client.threads.search(limit=1001)
    message = (
        "extract.a: must be a path that starts with values, metadata, config or "
        "interrupts, such as values.messages[-1]"
    )
    with refused(UnprocessableEntityError, message):
        await client.threads.search(extract={"a": "secrets.x"})


async def test_a_count_has_the_filters_of_a_search(client: Client, tag: str):
    await one_of_each_status(client, tag)
    metadata = {"tag": tag}
    assert await client.threads.count(metadata=metadata) == 4
    assert await client.threads.count(metadata=metadata, status="error") == 1
    assert await client.threads.count(metadata=metadata, values={"total": 3}) == 1
    assert await client.threads.count() >= 4
    with refused(UnprocessableEntityError, f"status: {STATUSES}"):
        await client.threads.count(status="asleep")
