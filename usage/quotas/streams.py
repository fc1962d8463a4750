"""Counts the bytes of a response, also of one that is made while it is sent."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import cast

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

Done = Callable[[int], None]


def when_sized(request: HttpRequest, response: HttpResponseBase, done: Done) -> None:
    """Call `done` with the bytes of the body: now where they are known, else when the stream is closed."""
    if isinstance(response, StreamingHttpResponse):
        chunks = response.streaming_content
        # Django closes what it streams when the answer was sent or the client has gone. A file loses the server's
        # sendfile by this, and gains that what wasn't sent isn't counted.
        if response.is_async:
            response.streaming_content = _AsyncCounted(cast(AsyncIterable[bytes], chunks), done)
        else:
            response.streaming_content = _Counted(cast(Iterable[bytes], chunks), done)
    elif request.method == "HEAD":
        done(0)
    else:
        done(len(cast(HttpResponse, response).content))


class _Tally:
    def __init__(self, done: Done) -> None:
        self.size = 0
        self.done = done

    def close(self) -> None:
        size, self.size = self.size, 0
        self.done(size)


class _Counted(_Tally):
    def __init__(self, chunks: Iterable[bytes], done: Done) -> None:
        super().__init__(done)
        self.chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.size += len(chunk)
            yield chunk


class _AsyncCounted(_Tally):
    def __init__(self, chunks: AsyncIterable[bytes], done: Done) -> None:
        super().__init__(done)
        self.chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.chunks:
            self.size += len(chunk)
            yield chunk
