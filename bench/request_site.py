"""The site that `bench/request.py` asks: one view, as it is or with one charge, behind nothing but what charges it."""

from __future__ import annotations

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"

from django.conf import settings  # after the environment, which names the settings

# With `bare` a request passes no middleware at all: what is left is Django itself.
QUOTA = ["tenants.middleware.TenantMiddleware", "usage.quotas.middleware.QuotaMiddleware"]
settings.MIDDLEWARE = [] if os.environ["BENCH_SITE"] == "bare" else QUOTA
settings.ROOT_URLCONF = __name__
django.setup()

from django.core.handlers.wsgi import WSGIHandler  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from usage.quotas import quota  # noqa: E402


def bare(request: HttpRequest) -> HttpResponse:
    """What a very quick API answers."""
    return HttpResponse(b'{"pong":true}', content_type="application/json")


urlpatterns = [path("ping", bare if os.environ["BENCH_SITE"] == "bare" else quota("api_calls")(bare))]
application = WSGIHandler()
