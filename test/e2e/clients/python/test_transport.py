"""What the SDK does on the wire, and that the server plays its part in it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from langgraph_sdk.errors import APIStatusError, NotFoundError, UnprocessableEntityError

from conftest import URL
from cutting_proxy import CuttingProxy
from expectations import NOBODY, collect, data_of, refused
from uniform import Client

Connect = Callable[..., Client]
WORK = {"steps": 4, "seconds": 0.2}


async def test_every_method_takes_headers_and_query_parameters(client: Client):
    thread = await client.threads.create(ttl=5, headers={"x-note": "a"})
    shown = await client.threads.get(thread["thread_id"], params={"include": "ttl"})
    assert shown["ttl"]["ttl_minutes"] == 5
    with pytest.raises(APIStatusError) as caught:
        await client.threads.get(NOBODY, headers={"x-request-id": "my-request"})
    assert caught.value.request_id == "my-request"


async def test_a_client_sends_its_key_and_headers(connect: Connect):
    async with CuttingProxy(URL) as proxy:
        options = {"api_key": "a-key", "headers": {"x-team": "red"}}
        async with aclosing(connect(url=proxy.url, **options)) as client:
            assert (await client.assistants.get("agent"))["graph_id"] == "agent"
    assert b"x-api-key: a-key\r\n" in proxy.sent
    assert b"x-team: red\r\n" in proxy.sent
    assert b"langgraph-sdk-py/" in proxy.sent


async def test_a_base_url_may_end_with_a_slash(connect: Connect):
    async with aclosing(connect(url=f"{URL}/")) as client:
        assert (await client.assistants.get("agent"))["graph_id"] == "agent"


async def test_ids_may_be_uuids_and_values_what_python_has(client: Client):
    thread_id = uuid4()
    noon = datetime(2026, 1, 1, 12, tzinfo=timezone.utc)
    thread = await client.threads.create(
        thread_id=thread_id,
        metadata={"at": noon, "id": thread_id, "set": {1}, 5: "five", "none": None},
    )
    assert UUID(thread["thread_id"]) == thread_id
    assert thread["metadata"] == {
        "at": "2026-01-01T12:00:00+00:00",
        "id": str(thread_id),
        "set": [1],
        "5": "five",
        "none": None,
    }
    assert await client.threads.get(thread_id) == thread


async def test_text_of_every_script_comes_back_as_it_was(client: Client):
    text = "Grüße, 世界 🌍 \u2028 \\ \" ' \x7f"
    thread = await client.threads.create(metadata={text: text})
    assert thread["metadata"] == {text: text}


async def test_an_id_with_special_characters_stays_one_id(client: Client):
    for thread_id in ("a/b", "a?b=c", "a#b", "%2F", "..", ".", "ä"):
        with refused(UnprocessableEntityError, "thread_id: must be a UUID"):
            await client.threads.get(thread_id)
    for assistant_id in ("..", "."):
        with refused(NotFoundError, "Assistant not found"):
            await client.assistants.get(assistant_id)


async def test_one_client_does_many_things_at_once(client: Client):
    threads = await asyncio.gather(*(client.threads.create() for _ in range(40)))
    assert len({thread["thread_id"] for thread in threads}) == 40


async def test_a_wait_outlives_the_read_timeout_of_its_client(connect: Connect):
    """Because the server says something every second."""
    async with aclosing(connect(timeout=2)) as client:
        values = await client.runs.wait(None, "slow", input={"steps": 1, "seconds": 3})
    assert values["done"] == [1]


async def test_a_client_waits_for_a_server_that_is_about_to_come(connect: Connect):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    proxy = CuttingProxy(URL)
    async with aclosing(connect(url=f"http://127.0.0.1:{port}")) as client:
        asked = asyncio.create_task(client.assistants.get("agent"))
        await asyncio.sleep(0.2)
        await proxy.listen(port)
        assert (await asked)["graph_id"] == "agent"
    await proxy.__aexit__()


async def test_a_stream_that_breaks_goes_on_without_a_gap(
    client: Client, connect: Connect
):
    """The SDK comes back to `Location` with the id of the last part that it has."""
    thread_id = (await client.threads.create())["thread_id"]
    async with CuttingProxy(URL, cut_after=b"step 2 of 4") as proxy:
        async with aclosing(connect(url=proxy.url)) as broken:
            parts = await collect(
                broken.runs.stream(
                    thread_id,
                    "slow",
                    input=WORK,
                    stream_mode=["custom", "values"],
                    stream_resumable=True,
                )
            )
    [run] = await client.runs.list(thread_id)
    assert proxy.requests == [
        ("POST", f"/threads/{thread_id}/runs/stream"),
        ("GET", f"/threads/{thread_id}/runs/{run['run_id']}/stream"),
    ]
    again = client.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")
    assert parts == await collect(again)
    steps = [part["progress"] for part in data_of(parts, "custom")]
    assert steps == [f"step {n} of 4" for n in (1, 2, 3, 4)]


async def test_a_joined_stream_that_breaks_goes_on(client: Client, connect: Connect):
    thread_id = (await client.threads.create())["thread_id"]
    options: dict[str, Any] = {"stream_mode": "custom", "stream_resumable": True}
    run = await client.runs.create(thread_id, "slow", input=WORK, **options)
    async with CuttingProxy(URL, cut_after=b"step 2 of 4") as proxy:
        async with aclosing(connect(url=proxy.url)) as broken:
            parts = await collect(
                broken.runs.join_stream(thread_id, run["run_id"], last_event_id="-1")
            )
    assert len(data_of(parts, "custom")) == 4
    assert parts[-1].data["status"] == "success"


@pytest.mark.parametrize("method", ["wait", "stateless wait", "join"])
async def test_an_answer_that_breaks_is_fetched_again(
    client: Client, connect: Connect, method: str
):
    """From `Location`, which the server has sent before there was an answer."""
    thread_id = (await client.threads.create())["thread_id"]
    end_of_headers = b"\r\n\r\n"
    async with CuttingProxy(URL, cut_after=end_of_headers) as proxy:
        async with aclosing(connect(url=proxy.url)) as broken:
            with pytest.warns(UserWarning, match="attempting reconnect to Location"):
                if method == "join":
                    run = await client.runs.create(thread_id, "slow", input=WORK)
                    values = await broken.runs.join(thread_id, run["run_id"])
                else:
                    values = await broken.runs.wait(
                        thread_id if method == "wait" else None,
                        "slow",
                        input={"steps": 4, "seconds": 0.6},
                    )
    assert values["done"] == [1, 2, 3, 4]
    assert [path.rsplit("/", 1)[-1] for _, path in proxy.requests] == [
        "join" if method == "join" else "wait",
        "join",
    ]
