"""The fixtures, and what tells test/e2e/clients/python.test.ts how each test went."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest

from record import Record
from uniform import Client

URL = os.environ.get("SPOOL_URL", "")
# Which clients are tested; the two are independent of each other.
KINDS = os.environ.get("SPOOL_CLIENTS", "async,sync").split(",")
RECORDS = {"async": "python", "sync": "python-sync"}


@pytest.fixture(scope="session")
def records() -> dict[str, Record]:
    return {kind: Record(RECORDS[kind]) for kind in KINDS}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def connect(kind: str, records: dict[str, Record]) -> Callable[..., Client]:
    """Makes a client of the kind that is tested; the options are the SDK's."""

    def connect(**options: Any) -> Client:
        return Client(kind, records[kind], **{"url": URL, "timeout": 30, **options})

    return connect


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


@pytest.fixture
def tag() -> str:
    """In the metadata of what a test makes, it tells that from what other tests make."""
    return str(uuid4())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs tests that are coroutines, each in an event loop of its own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run() -> None:
        async with AsyncExitStack() as stack:
            # A connection of the async client must be closed in the loop that made it.
            if isinstance(client := arguments.get("client"), Client):
                stack.push_async_callback(client.aclose)
            await pyfuncitem.obj(**arguments)

    asyncio.run(run())
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """One JSON line per phase of a test, in the file that the caller has named."""
    report = yield
    if file := os.environ.get("SPOOL_RESULTS"):
        result = {
            "test": item.nodeid,
            "phase": report.when,
            "outcome": report.outcome,
            "text": report.longreprtext if report.failed else "",
        }
        with open(file, "a") as results:
            results.write(json.dumps(result) + "\n")
    return report
