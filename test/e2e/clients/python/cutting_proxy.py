"""A line between client and server that breaks where a test says."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from urllib.parse import urlsplit

REQUEST = re.compile(rb"(GET|POST) (/\S*) HTTP/1\.1\r\n")


class CuttingProxy:
    """Passes everything on, and cuts a connection once, right after `cut_after`.

    Lives in the event loop of its test, so that nothing of it is left after that.
    """

    def __init__(self, upstream: str, cut_after: bytes | None = None) -> None:
        self._upstream = urlsplit(upstream)
        self._cut_after = cut_after
        self.sent = b""

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request so far."""
        found = REQUEST.findall(self.sent)
        return [(method.decode(), path.decode()) for method, path in found]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> CuttingProxy:
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def listen(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, port = self._upstream.hostname, self._upstream.port
        server_reader, server_writer = await asyncio.open_connection(host, port)
        there = asyncio.create_task(self._there(reader, server_writer))
        back = asyncio.create_task(self._back(server_reader, writer))
        with suppress(asyncio.CancelledError):  # the test is over
            await asyncio.wait([there, back], return_when=asyncio.FIRST_COMPLETED)
        there.cancel()
        back.cancel()
        for end in (writer, server_writer):
            end.close()

    async def _there(
        self, client: asyncio.StreamReader, server: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while data := await client.read(65536):
                self.sent += data
                server.write(data)
                await server.drain()

    async def _back(
        self, server: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        seen = b""
        with suppress(ConnectionError):
            while data := await server.read(65536):
                before, seen = len(seen), seen + data
                mark = self._cut_after
                at = seen.find(mark) if mark else -1
                if mark and at >= 0:
                    self._cut_after = None
                    client.write(seen[before : at + len(mark)])
                    await client.drain()
                    return
                client.write(data)
                await client.drain()
