"""The async and the sync client behind one face, so that one suite drives both.

Every method is awaited and every stream is read with `async for`. The sync client
works in threads meanwhile, so that a test can do two things at once with it too.
Every call is recorded.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

from langgraph_sdk import get_client, get_sync_client

from record import Record, options_of

RESOURCES = {"assistants", "threads", "runs", "crons", "store"}
# The SDK gives these to be read part by part.
STREAMS = {
    "runs.stream",
    "runs.join_stream",
    "threads.join_stream",
    "RemoteGraph.stream",
    "RemoteGraph.get_state_history",
}
END = object()


class Client:
    """`kind` is `async` or `sync`; `native` is the SDK's own client."""

    def __init__(self, kind: str, record: Record, **options: Any) -> None:
        self.kind = kind
        self.record = record
        self.native = (get_client if kind == "async" else get_sync_client)(**options)
        for name in RESOURCES:
            setattr(self, name, Resource(getattr(self.native, name), name, record))

    async def aclose(self) -> None:
        if self.kind == "async":
            await self.native.aclose()
        else:
            self.native.close()


class Resource:
    """`client.threads` and the like; of a RemoteGraph the async methods have a prefix."""

    def __init__(
        self, target: Any, name: str, record: Record, *, prefix: str = ""
    ) -> None:
        self._target = target
        self._name = name
        self._record = record
        self._prefix = prefix

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._target, self._prefix + name)
        full_name = f"{self._name}.{name}"
        call = Call(method, full_name, self._record)
        return call.stream if full_name in STREAMS else call.answer


class Call:
    """A method of an SDK, called and recorded."""

    def __init__(self, method: Callable[..., Any], name: str, record: Record) -> None:
        self._method = method
        self._name = name
        self._record = record

    async def answer(self, *args: Any, **kwargs: Any) -> Any:
        options = options_of(self._method, args, kwargs)
        try:
            result = await self._await(*args, **kwargs)
        except Exception as error:
            self._record.failed(self._name, options, error)
            raise
        self._record.ok(self._name, options)
        return result

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        options = options_of(self._method, args, kwargs)
        try:
            opened = self._method(*args, **kwargs)
            if inspect.isawaitable(opened):
                opened = await opened
            async with aclosing(parts_of(opened)) as parts:
                async for part in parts:
                    yield part
        except GeneratorExit:  # whoever read it has seen enough
            self._record.ok(self._name, options)
            raise
        except Exception as error:
            self._record.failed(self._name, options, error)
            raise
        self._record.ok(self._name, options)

    async def _await(self, *args: Any, **kwargs: Any) -> Any:
        if inspect.iscoroutinefunction(self._method):
            return await self._method(*args, **kwargs)
        return await asyncio.to_thread(self._method, *args, **kwargs)


async def parts_of(parts: Any) -> AsyncIterator[Any]:
    """What a generator of either kind gives; leaving it closes its connection."""
    if hasattr(parts, "__aiter__"):
        async with aclosing(parts):
            async for part in parts:
                yield part
        return
    try:
        while (part := await asyncio.to_thread(next, parts, END)) is not END:
            yield part
    finally:
        parts.close()
