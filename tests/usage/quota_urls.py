"""Views marked in every way, for the tests of the quota middleware."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.utils.decorators import method_decorator
from django.utils.timezone import now
from django.views import View

from tenants.requests import TenantRequest
from usage.metering import Charge, consume
from usage.quotas import Refused, Rule, charge, quota


def amount(request: HttpRequest) -> int:
    return int(request.GET.get("amount", "1"))


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("plain")


@quota("api_calls")
def one(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    return HttpResponse("one")


@quota("api_calls")
async def one_async(request: HttpRequest) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse("one")


@quota("api_calls", Rule("storage", amount=amount, label=lambda request: "é" * 60))
def several(request: HttpRequest) -> HttpResponse:
    return HttpResponse("several")


@quota("api_calls")
@quota(Rule("storage", amount=amount))
def stacked(request: HttpRequest) -> HttpResponse:
    return HttpResponse("stacked")


@quota(Rule("users", member=lambda request: request.GET["user"]))
def member(request: HttpRequest) -> HttpResponse:
    return HttpResponse("member")


@quota("api_calls", keys_only=True)
def keyed(request: HttpRequest) -> HttpResponse:
    return HttpResponse("keyed")


@quota("api_calls", Rule("storage", amount=1_000))
def failing(request: HttpRequest) -> HttpResponse:
    match request.GET.get("how"):
        case "raises":
            raise ValueError("broken")
        case "404":
            raise Http404
        case "403":
            raise PermissionDenied
        case status:
            return HttpResponse("failed", status=int(status or 500))


@quota("api_calls", Rule("storage", amount=1_000))
async def failing_async(request: HttpRequest) -> HttpResponse:
    raise ValueError("broken")


started = asyncio.Event()


@quota(Rule("storage", amount=1_000))
async def hanging(request: HttpRequest) -> HttpResponse:
    started.set()
    await asyncio.sleep(30)
    return HttpResponse("too late")


# What happens while a view runs; a test may put something here.
meanwhile: list[Callable[[], None]] = []


@quota("api_calls", records="bandwidth")
def sized(request: HttpRequest) -> HttpResponse:
    for happens in meanwhile:
        happens()
    return HttpResponse(b"x" * amount(request))


@quota("api_calls", records="bandwidth")
def sized_inside(request: HttpRequest) -> HttpResponse:
    charge(request, Charge("storage", amount(request)))
    return HttpResponse(b"x" * amount(request))


@quota("api_calls", records="bandwidth")
def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x" * 100

    return StreamingHttpResponse(chunks())


@quota("api_calls", records="bandwidth")
async def streamed_async(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 100

    return StreamingHttpResponse(chunks())


@quota("api_calls", records="bandwidth")
def sent_file(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"x" * 5_000), filename="x.bin")


@quota(gate="bandwidth")
def gated(request: HttpRequest) -> HttpResponse:
    return HttpResponse("gated")


def inside(request: HttpRequest) -> HttpResponse:
    """Not marked: charges by itself, then does what the query says."""
    charge(request, Charge("storage", amount(request)), Charge("api_calls"))
    if "then" in request.GET:
        charge(request, Charge("api_calls", int(request.GET["then"])))
    if "fail" in request.GET:
        raise ValueError("broken")
    return HttpResponse("inside")


async def inside_async(request: HttpRequest) -> HttpResponse:
    await sync_to_async(charge)(request, Charge("api_calls", amount(request)))
    return HttpResponse("inside")


def caught(request: HttpRequest) -> HttpResponse:
    try:
        charge(request, Charge("api_calls", amount(request)))
    except Refused as refused:
        return HttpResponse(f"{refused.decision.remaining} left", status=202)
    return HttpResponse("fits")


def consuming(request: HttpRequest) -> HttpResponse:
    tenant = cast(TenantRequest, request).tenant
    assert tenant is not None
    decision = consume(tenant, Charge("api_calls", amount(request)), at=now())
    return HttpResponse(str(decision.remaining))


@method_decorator(quota("api_calls"), name="dispatch")
@method_decorator(quota(Rule("storage", amount=7)), name="dispatch")
class Dispatched(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("dispatched")


@method_decorator([quota("api_calls"), quota(Rule("storage", amount=7))], name="dispatch")
class Listed(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("listed")


@method_decorator(quota(Rule("api_calls", amount=5)), name="post")
class Handlers(View):
    @method_decorator(quota("api_calls"))
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("got")

    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("posted")

    def put(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("put for nothing")


class Viewed(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("viewed")


class ViewedAsync(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("viewed")


named: dict[str, Callable[..., Any]] = {
    "plain": plain,
    "plain-marked": quota("api_calls")(plain),
    "one": one,
    "one-async": one_async,
    "several": several,
    "stacked": stacked,
    "member": member,
    "keyed": keyed,
    "failing": failing,
    "failing-async": failing_async,
    "hanging": hanging,
    "sized": sized,
    "sized-inside": sized_inside,
    "streamed": streamed,
    "streamed-async": streamed_async,
    "file": sent_file,
    "gated": gated,
    "inside": inside,
    "inside-async": inside_async,
    "caught": caught,
    "consuming": consuming,
    "dispatched": Dispatched.as_view(),
    "listed": Listed.as_view(),
    "handlers": Handlers.as_view(),
    "viewed": quota("api_calls")(Viewed.as_view()),
    "viewed-async": quota("api_calls")(ViewedAsync.as_view()),
    "v1/things": plain,
    "v1/exports/all": plain,
    "v1/one": one,
}

urlpatterns = [
    *(path(name, login_not_required(view)) for name, view in named.items()),
    path("lo/<str:größe>/<str:überlänge>/<str:größte_länge>", login_not_required(one)),
    path("", include("usage.urls")),
    path("", include("tenants.urls")),
]
