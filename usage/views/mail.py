"""Stops a person's alert mail: the page behind the link of a mail, and the button mail programs show."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from usage.alerts.unsubscribe import choose_mail, reader_of

WISHES = {"stop": False, "start": True}


@login_not_required
@csrf_exempt  # mail programs post without a cookie; the link itself is the proof
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def stop_mail(request: HttpRequest, token: str) -> HttpResponse:
    """GET only asks, for mail scanners follow links; POST stops, or starts again from the page that says so."""
    wish = request.POST.get(
        "mail", ""
    )  # first: a body that is too large is refused here, and not on the page of the 404
    reader = reader_of(token)
    if reader is None:
        raise Http404
    if request.method == "POST":
        choose_mail(reader.membership, is_wanted=WISHES.get(wish, False))
        reader = reader_of(token)
    return render(request, "usage/stop_mail.html", {"reader": reader})
