"""What this version does not have says so, with 501 and a sentence."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from langgraph_sdk.errors import InternalServerError

from expectations import NOBODY, refused
from uniform import Client

LATER = "arrives with a later version of Spool"
HOURLY = {"schedule": "0 * * * *"}

CALLS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "crons.create": ("The cron API", ("agent",), HOURLY),
    "crons.create_for_thread": ("The cron API", (NOBODY, "agent"), HOURLY),
    "crons.update": ("The cron API", (NOBODY,), HOURLY),
    "crons.delete": ("The cron API", (NOBODY,), {}),
    "crons.search": ("The cron API", (), {}),
    "crons.count": ("The cron API", (), {}),
}


@pytest.mark.parametrize("method", CALLS)
async def test_a_method_says_that_it_comes_later(client: Client, method: str):
    what, args, kwargs = CALLS[method]
    resource, name = method.split(".")
    with refused(InternalServerError, f"{what} {LATER}"):
        await getattr(getattr(client, resource), name)(*args, **kwargs)


async def test_a_thread_stream_says_that_it_comes_later(client: Client):
    """`threads.stream` sends nothing itself; its first command is what is refused."""
    async with AsyncExitStack() as stack:
        opened = client.native.threads.stream(assistant_id="agent")
        if client.kind == "async":
            thread = await stack.enter_async_context(opened)
        else:
            thread = stack.enter_context(opened)
        with pytest.raises(httpx.HTTPStatusError) as caught:
            started = thread.run.start(input={})
            await started if client.kind == "async" else None
    assert caught.value.response.status_code == 501
    client.record.failed("threads.stream", ["assistant_id"], caught.value)
