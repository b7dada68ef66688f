"""What a client sees of a refusal, and other things that many tests look for."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import APIStatusError

# An id that nothing has.
NOBODY = "00000000-0000-4000-8000-000000000000"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# ISO 8601 in UTC.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")

NO_ASSISTANT = (
    'No assistant found for "nobody". Make sure the assistant ID is for a valid '
    "assistant or a valid graph ID."
)


@contextmanager
def refused(error: type[APIStatusError], message: str) -> Iterator[None]:
    """The block fails with this error of the SDK and this message, word for word."""
    with pytest.raises(APIStatusError) as caught:
        yield
    assert (type(caught.value), caught.value.message) == (error, message)
    assert UUID.fullmatch(caught.value.request_id or "")


@contextmanager
def refused_untyped(status: int, detail: str) -> Iterator[None]:
    """As `refused`, of the methods that reconnect (`wait`, `join`, `cancel` that waits).

    The SDK raises httpx's own error there, and gives the body as a note.
    """
    with pytest.raises(httpx.HTTPStatusError) as caught:
        yield
    assert caught.value.response.status_code == status
    if sys.version_info >= (3, 11):
        [note] = caught.value.__notes__
        assert json.loads(note)["detail"] == detail


async def new_thread(client: Any) -> str:
    """The id of an empty thread."""
    return (await client.threads.create())["thread_id"]


async def collect(stream: AsyncIterator[Any]) -> list[Any]:
    return [part async for part in stream]


def events_of(parts: list[Any]) -> list[str]:
    return [part.event for part in parts]


def data_of(parts: list[Any], event: str) -> list[Any]:
    return [part.data for part in parts if part.event == event]


async def until(
    what: str, condition: Callable[[], Awaitable[Any]], seconds: float = 20
) -> Any:
    """Asks until the answer is truthy, and gives it."""
    end = time.monotonic() + seconds
    while not (answer := await condition()):
        assert time.monotonic() < end, f"waited in vain: {what}"
        await asyncio.sleep(0.05)
    return answer
