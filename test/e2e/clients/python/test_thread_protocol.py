"""`client.threads.stream`: the streaming protocol, over SSE and over WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from uniform import Client

TRANSPORTS = ["sse", "websocket"]


class Thread:
    """The async and the sync thread stream behind one face."""

    def __init__(self, client: Client, **options: Any) -> None:
        self.client = client
        self.kind = client.kind
        self.options = options
        self.native = client.native.threads.stream(
            options.pop("thread_id", None), **options
        )

    async def __aenter__(self) -> Thread:
        if self.kind == "async":
            await self.native.__aenter__()
        else:
            await asyncio.to_thread(self.native.__enter__)
        return self

    async def __aexit__(self, *failure: Any) -> None:
        if self.kind == "async":
            await self.native.__aexit__(*failure)
        else:
            await asyncio.to_thread(self.native.__exit__, *failure)

    async def start(self, value: Any) -> dict[str, Any]:
        answer = await self.call(lambda: self.native.run.start(input=value))
        self.client.record.ok("threads.stream", list(self.options))
        return answer

    async def call(self, method: Callable[[], Any]) -> Any:
        if self.kind == "async":
            return await method()
        return await asyncio.to_thread(method)

    async def read(self, parts: Callable[[], Any]) -> list[Any]:
        if self.kind == "async":
            return [part async for part in parts()]
        return await asyncio.to_thread(lambda: list(parts()))

    async def output(self) -> Any:
        if self.kind == "async":
            return await self.native.output
        return await asyncio.to_thread(lambda: self.native.output)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_thread_stream_gives_what_its_run_tells_and_leaves(
    client: Client, transport: str
):
    hello = {"messages": [{"role": "user", "content": "hello there"}]}
    async with Thread(client, assistant_id="agent", transport=transport) as thread:
        answer = await thread.start(hello)
        assert set(answer) == {"run_id"}
        # A client in Python takes for a root message only what no node has written.
        events = await thread.read(
            lambda: thread.native.subscribe(["messages", "lifecycle"])
        )
        deltas = [
            event["params"]["data"]["delta"]["text"]
            for event in events
            if event["method"] == "messages"
            and event["params"]["data"]["event"] == "content-block-delta"
        ]
        assert len(deltas) > 3
        output = await thread.output()
    assert output["messages"][-1]["content"][0]["text"] == "".join(deltas)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_question_is_answered_as_soon_as_it_is_asked(
    client: Client, transport: str
):
    async with Thread(client, assistant_id="trip", transport=transport) as thread:
        await thread.start({"wish": "a weekend in Porto"})
        await thread.read(lambda: thread.native.values)
        asked = thread.native.interrupts
        assert [one["value"] for one in asked] == [
            {"question": "Which seat on the 9:30 to Porto?"}
        ]
        assert thread.native.interrupted is True
        await thread.call(lambda: thread.native.run.respond("window seat"))
        output = await thread.output()
    assert output["booked"] == "window seat on the 9:30 to Porto"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_stream_of_a_thread_that_does_not_exist_yet_waits_for_it(
    client: Client, transport: str
):
    options = {"thread_id": str(uuid4()), "assistant_id": "fan-out"}
    async with Thread(client, **options, transport=transport) as thread:
        await asyncio.sleep(0.2)  # its watcher is open, and nothing is there
        await thread.start({"text": "a bc"})
        assert (await thread.output())["total"] == 3


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_command_that_is_refused_says_why(client: Client, transport: str):
    async with Thread(client, assistant_id="nobody", transport=transport) as thread:
        with pytest.raises(RuntimeError, match="invalid_argument"):
            await thread.call(lambda: thread.native.run.start(input={}))
