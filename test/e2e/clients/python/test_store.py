"""The methods of `client.store`."""

from __future__ import annotations

import asyncio

import pytest
from langgraph_sdk.errors import BadRequestError, UnprocessableEntityError

from expectations import TIMESTAMP, refused, until
from uniform import Client


async def test_an_item_is_put_got_and_deleted(client: Client, tag: str):
    namespace = ["users", tag]
    assert await client.store.put_item(namespace, "tea", {"likes": ["green"]}) is None
    item = await client.store.get_item(namespace, "tea")
    assert TIMESTAMP.fullmatch(item["created_at"])
    assert TIMESTAMP.fullmatch(item["updated_at"])
    assert (item["namespace"], item["key"]) == (namespace, "tea")
    assert item["value"] == {"likes": ["green"]}
    # A second put takes the place of the first.
    await client.store.put_item(namespace, key="tea", value={"likes": []})
    again = await client.store.get_item(namespace, key="tea")
    assert again["value"] == {"likes": []}
    assert again["created_at"] == item["created_at"]
    assert again["updated_at"] >= item["updated_at"]
    # Deleting is done when the item is gone, also a second time.
    for _ in range(2):
        assert await client.store.delete_item(namespace, key="tea") is None
    assert await client.store.get_item(namespace, "tea") is None


async def test_a_put_takes_every_option(client: Client, tag: str):
    await client.store.put_item([tag], "a", {"n": 1}, index=False, ttl=60)
    await client.store.put_item([tag], "b", {"n": 1}, index=["n"])
    assert (await client.store.get_item([tag], "a", refresh_ttl=True))["value"]
    assert (await client.store.get_item([tag], "b", refresh_ttl=False))["value"]


async def test_an_item_lives_as_long_as_it_was_told(client: Client, tag: str):
    # Minutes, of which the SDK's type allows whole ones only.
    await client.store.put_item([tag], "short", {}, ttl=0.01)
    await client.store.put_item([tag], "long", {}, ttl=60)

    async def is_gone() -> bool:
        return await client.store.get_item([tag], "short", refresh_ttl=False) is None

    await until("the item has expired", is_gone)
    items = (await client.store.search_items([tag]))["items"]
    assert [item["key"] for item in items] == ["long"]


async def test_a_search_filters_and_gives_pages(client: Client, tag: str):
    for key, size, kind in (("a", 1, "x"), ("b", 2, "x"), ("c", 3, "y")):
        await client.store.put_item([tag, kind], key, {"size": size, "kind": kind})
        await asyncio.sleep(0.005)  # the newest comes first

    async def found(prefix: list[str], **options: object) -> list[str]:
        result = await client.store.search_items(prefix, **options)
        return [item["key"] for item in result["items"]]

    assert await found([tag]) == ["c", "b", "a"]
    assert await found([tag, "x"]) == ["b", "a"]
    assert await found([tag[:-1]]) == []
    assert await found([tag], filter={"kind": "y"}) == ["c"]
    assert await found([tag], filter={"size": {"$gte": 2}}) == ["c", "b"]
    assert await found([tag], filter={"size": {"$lt": 3, "$ne": 1}}) == ["b"]
    assert await found([tag], limit=1, offset=1) == ["b"]
    # Nothing is indexed, so that every item is an answer.
    assert sorted(await found([tag], query="what?", refresh_ttl=True)) == list("abc")


async def test_namespaces_are_listed_with_every_option(client: Client, tag: str):
    for namespace in (["a", "x"], ["a", "y", "x"], ["b", "y"]):
        await client.store.put_item([tag, *namespace], "k", {})

    async def listed(**options: object) -> list[str]:
        result = await client.store.list_namespaces(**{"prefix": [tag], **options})
        return [".".join(namespace[1:]) for namespace in result["namespaces"]]

    every = ["a.x", "a.y.x", "b.y"]
    assert sorted(await listed()) == every
    assert sorted(await listed(prefix=[tag, "a"])) == every[:2]
    assert sorted(await listed(suffix=["x"])) == every[:2]
    assert sorted(await listed(max_depth=2)) == ["a", "b"]
    pages = [*await listed(limit=2), *await listed(limit=2, offset=2)]
    assert sorted(pages) == every


async def test_what_a_graph_stores_is_seen_and_the_other_way_round(
    client: Client, tag: str
):
    config = {"configurable": {"user_id": tag}}
    await client.runs.wait(None, "memory", input={"fact": "likes tea"}, config=config)
    item = await client.store.get_item(["facts", tag], "likes tea")
    assert item["value"] == {"fact": "likes tea"}
    await client.store.put_item(["facts", tag], "b", {"fact": "rides a bike"})
    values = await client.runs.wait(
        None, "memory", input={"question": "What?"}, config=config
    )
    assert values["answer"] == "likes tea; rides a bike"


async def test_a_request_that_cannot_be_is_refused(client: Client, tag: str):
    with refused(BadRequestError, "Namespace is required"):
        await client.store.put_item([], "k", {})
    empty_label = (
        "Namespace labels cannot be empty or contain periods. Received: " f"{tag}."
    )
    with refused(UnprocessableEntityError, empty_label):
        await client.store.put_item([tag, ""], "k", {})
    with refused(UnprocessableEntityError, "value: must be an object"):
        await client.store.put_item([tag], "k", "text")
    with refused(
        UnprocessableEntityError, "limit: too small: expected number to be >=1"
    ):
        await client.store.search_items([tag], limit=0)
    with refused(
        UnprocessableEntityError, "limit: too small: expected number to be >=1"
    ):
        await client.store.list_namespaces(limit=0)
    with refused(UnprocessableEntityError, "key: required"):
        await client.store.get_item([tag], "k", params={"key": []})
    with refused(UnprocessableEntityError, "key: expected string"):
        await client.store.delete_item([tag], 5)
    # The SDK itself does not let a period through.
    with pytest.raises(ValueError, match="cannot contain periods"):
        await client.store.put_item(["a.b"], "k", {})
    with pytest.raises(ValueError, match="cannot contain periods"):
        await client.store.get_item(["a.b"], "k")
