"""Notes every call of an SDK, for docs/compatibility.md.

One JSON line per call, in the form that test/support/compatibility-record.ts reads.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import langgraph_sdk

ROW_ID = re.compile("(assistant|thread|run|cron)_ids?$")


class Record:
    """The record of one client, `python` or `python-sync`; a new one begins empty."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.file = Path(os.environ["SPOOL_RECORDS"]) / f"{client}.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text("")

    def ok(self, method: str, options: list[str]) -> None:
        self._write(method, options, {"outcome": "ok"})

    def failed(self, method: str, options: list[str], error: BaseException) -> None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        known = {} if status is None else {"status": status}
        self._write(method, options, {"outcome": "error", **known})

    def _write(self, method: str, options: list[str], rest: dict[str, Any]) -> None:
        call = {
            "client": self.client,
            "version": langgraph_sdk.__version__,
            "method": method,
            "options": options,
        }
        with self.file.open("a") as lines:
            lines.write(json.dumps({**call, **rest}) + "\n")


def options_of(
    method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> list[str]:
    """What a call was given, however it was given; ids that say which row are no options.

    The same rule as test/support/call-record.ts has for JavaScript.
    """
    signature = inspect.signature(method)
    given: list[str] = []
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        parameter = signature.parameters[name]
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            given.extend(value)
        elif parameter.default is inspect.Parameter.empty and ROW_ID.search(name):
            given.extend(["stateless"] if value is None else [])
        elif value is not None:
            given.append(name)
    return given
