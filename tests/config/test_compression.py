"""Pages travel compressed; what programs are answered does not."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory

from config.compression import PageGZipMiddleware

LONG = "<p>Room left</p>" * 200


def sent(answer: HttpResponseBase, accepts: str = "gzip, br") -> HttpResponseBase:
    """The answer as it leaves."""

    def view(_request: HttpRequest) -> HttpResponseBase:
        return answer

    request = RequestFactory().get("/", headers={"Accept-Encoding": accepts})
    leaving = PageGZipMiddleware(view)(request)
    assert isinstance(leaving, HttpResponseBase)
    return leaving


class TestPage:
    def test_is_compressed_for_who_can_read_that(self) -> None:
        answer = sent(HttpResponse(LONG))
        assert isinstance(answer, HttpResponse)
        assert answer["Content-Encoding"] == "gzip"
        assert answer["Vary"] == "Accept-Encoding"
        assert gzip.decompress(answer.content).decode() == LONG

    def test_is_left_alone_for_others(self) -> None:
        assert "Content-Encoding" not in sent(HttpResponse(LONG), "br").headers

    def test_has_a_length_that_says_little(self) -> None:
        assert len({sent(HttpResponse(LONG))["Content-Length"] for _ in range(20)}) > 5

    @pytest.mark.django_db
    def test_of_ours_travels_so(self, client: Client) -> None:
        answer = client.get("/sign-in/", headers={"Accept-Encoding": "gzip"})
        assert answer["Content-Encoding"] == "gzip"
        assert b"<html" in gzip.decompress(answer.content)


class TestProgram:
    def test_reads_what_the_view_wrote(self) -> None:
        assert "Content-Encoding" not in sent(JsonResponse({"text": LONG})).headers

    def test_reads_a_stream_as_it_comes(self) -> None:
        def parts() -> Iterator[str]:
            yield LONG

        assert "Content-Encoding" not in sent(StreamingHttpResponse(parts())).headers
