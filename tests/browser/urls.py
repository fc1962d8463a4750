"""All addresses of Headroom, and a page of the application around it that a person's browser spends calls on."""

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.defaults import server_error

from config.urls import urlpatterns as headroom
from usage.quotas import quota


@quota("api_calls")
def report(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<!DOCTYPE html><title>Report</title><link rel=icon href=data:,><h1>Report</h1>")


def failed(request: HttpRequest) -> HttpResponse:
    """The page of a fault, without one: a fault would be logged, and these tests end where one is."""
    return HttpResponse(server_error(request).content)


urlpatterns = [*headroom, path("product/report/", report), path("product/failed/", failed)]
