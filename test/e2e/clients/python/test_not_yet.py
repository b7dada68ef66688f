"""What this version does not have says so, with 501 and a sentence."""

from __future__ import annotations

from typing import Any

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
