"""Lists of assistants, and what is told of their graphs."""

from __future__ import annotations

from langgraph_sdk.errors import NotFoundError, UnprocessableEntityError

from expectations import NOBODY, refused
from uniform import Client

NOT_FOUND = "Assistant not found"
FIELDS = (
    "assistant_id, graph_id, name, description, config, context, created_at, "
    "updated_at, metadata, version"
)


async def three(client: Client, tag: str) -> list[str]:
    """The ids of three assistants, in the order of their making."""
    made = [
        await client.assistants.create(graph, metadata={"tag": tag, "n": n}, name=name)
        for n, (graph, name) in enumerate(
            [("agent", "Beta"), ("trip", "alpha"), ("agent", "Gamma ray")]
        )
    ]
    return [assistant["assistant_id"] for assistant in made]


async def test_a_search_filters_by_metadata_graph_and_name(client: Client, tag: str):
    first, second, third = await three(client, tag)
    metadata = {"tag": tag}

    async def found(**options: object) -> list[str]:
        rows = await client.assistants.search(**options)
        return [row["assistant_id"] for row in rows]

    assert await found(metadata=metadata) == [third, second, first]
    assert await found(metadata={**metadata, "n": 1}) == [second]
    assert await found(metadata=metadata, graph_id="agent") == [third, first]
    assert await found(metadata=metadata, name="MMA r") == [third]
    assert await found(metadata={"tag": "of nothing"}) == []


async def test_a_search_sorts_by_every_field_in_both_orders(client: Client, tag: str):
    first, second, third = await three(client, tag)
    orders = {
        "assistant_id": sorted([first, second, third]),
        "graph_id": None,  # two are equal
        "name": None,  # the case of letters is the database's matter
        "created_at": [first, second, third],
        "updated_at": [first, second, third],
    }
    for sort_by, expected in orders.items():
        rows = {
            order: await client.assistants.search(
                metadata={"tag": tag}, sort_by=sort_by, sort_order=order
            )
            for order in ("asc", "desc")
        }
        ids = {o: [row["assistant_id"] for row in rows[o]] for o in rows}
        assert ids["asc"] == ids["desc"][::-1], sort_by
        if expected:
            assert ids["asc"] == expected, sort_by
        else:
            assert sorted(ids["asc"]) == sorted([first, second, third])
    by_graph = await client.assistants.search(
        metadata={"tag": tag}, sort_by="graph_id", sort_order="asc"
    )
    assert [row["graph_id"] for row in by_graph] == ["agent", "agent", "trip"]


async def test_a_search_gives_pages_and_says_where_the_next_one_is(
    client: Client, tag: str
):
    first, second, third = await three(client, tag)
    page = await client.assistants.search(
        metadata={"tag": tag}, limit=2, response_format="object"
    )
    assert [row["assistant_id"] for row in page["assistants"]] == [third, second]
    assert page["next"] == "2"
    last = await client.assistants.search(
        metadata={"tag": tag},
        limit=2,
        offset=int(page["next"]),
        response_format="object",
    )
    assert [row["assistant_id"] for row in last["assistants"]] == [first]
    assert last["next"] is None


async def test_a_search_gives_the_selected_fields_only(client: Client, tag: str):
    await three(client, tag)
    rows = await client.assistants.search(
        metadata={"tag": tag}, select=["name", "version"], limit=1
    )
    assert rows == [{"name": "Gamma ray", "version": 1}]
    fields = FIELDS.split(", ")
    [row] = await client.assistants.search(
        metadata={"tag": tag}, select=fields, limit=1
    )
    assert set(row) == set(fields)


async def test_a_search_for_what_cannot_be_is_refused(client: Client):
    with refused(
        UnprocessableEntityError, "limit: too small: expected number to be >=1"
    ):
        await client.assistants.search(limit=0)
    with refused(UnprocessableEntityError, f"select[0]: must be one of {FIELDS}"):
        await client.assistants.search(select=["colour"])
    message = "must be one of assistant_id, graph_id, name, created_at, updated_at"
    with refused(UnprocessableEntityError, f"sort_by: {message}"):
        await client.assistants.search(sort_by="colour")


async def test_a_count_has_the_filters_of_a_search(client: Client, tag: str):
    await three(client, tag)
    metadata = {"tag": tag}
    assert await client.assistants.count(metadata=metadata) == 3
    assert await client.assistants.count(metadata=metadata, graph_id="agent") == 2
    assert await client.assistants.count(metadata=metadata, name="ALPHA") == 1
    assert await client.assistants.count() >= 3
    with refused(UnprocessableEntityError, "metadata: must be an object"):
        await client.assistants.count(metadata=["a"])


async def test_a_graph_is_drawn_as_deep_as_asked(client: Client):
    async def nodes(**options: object) -> list[str]:
        graph = await client.assistants.get_graph("trip", **options)
        assert {"source", "target"} <= set(graph["edges"][0])
        return [node["id"] for node in graph["nodes"]]

    closed = ["__start__", "choose", "booking", "summarize", "__end__"]
    opened = ["booking:search", "booking:book"]
    assert await nodes() == closed
    assert await nodes(xray=False) == closed
    for depth in (True, 1):
        drawn = await nodes(xray=depth)
        assert sorted(drawn) == sorted([*opened, *closed[:2], *closed[3:]])
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.get_graph(NOBODY)


async def test_a_graph_tells_its_schemas(client: Client):
    schemas = await client.assistants.get_schemas("fan-out")
    assert schemas["graph_id"] == "fan-out"
    assert set(schemas) == {
        "graph_id",
        "input_schema",
        "output_schema",
        "state_schema",
        "config_schema",
        "context_schema",
    }
    assert schemas["state_schema"]["properties"]["text"] == {"type": "string"}
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.get_schemas("nobody")


async def test_a_graph_tells_its_subgraphs(client: Client):
    every = await client.assistants.get_subgraphs("trip")
    assert set(every) == {"booking"}
    booking = every["booking"]["state_schema"]["properties"]
    assert set(booking) == {"city", "train", "booked"}
    assert await client.assistants.get_subgraphs("trip", "booking", True) == every
    assert await client.assistants.get_subgraphs("trip", recurse=True) == every
    assert await client.assistants.get_subgraphs("trip", namespace="no|such") == {}
    with refused(NotFoundError, NOT_FOUND):
        await client.assistants.get_subgraphs(NOBODY)
