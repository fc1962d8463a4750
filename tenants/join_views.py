"""The page behind the link of an invitation: who is new sets a first password, who is not signs in and joins."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tenants.forms import JoinForm
from tenants.invitation_links import Unusable, opened
from tenants.joining import HasAccount, OtherAddress, account_of, join, join_as_new, require_addressee
from tenants.models import Invitation, User

PAGE, REFUSED = "tenants/join.html", "tenants/join_refused.html"


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: HttpRequest, token: str) -> HttpResponse:
    """GET only asks, for mail scanners follow links; POST joins."""
    at = timezone.now()
    try:
        invitation = opened(token, at)
        if request.user.is_authenticated:
            return _as_oneself(request, invitation, request.user, at)
        return _as_new(request, invitation, account_of(invitation), at)
    except Unusable as refusal:
        status = 410 if refusal.is_ours else 404
        return render(request, REFUSED, {"reason": refusal}, status=status)


def _as_oneself(request: HttpRequest, invitation: Invitation, person: User, at: datetime) -> HttpResponse:
    """For who is signed in; whose address it is not learns nothing of the invitation."""
    try:
        require_addressee(invitation, person)
        if request.method != "POST":
            return render(request, PAGE, {"invitation": invitation})
        join(invitation, person, at)
    except OtherAddress:
        return render(request, REFUSED, {"is_other": True}, status=403)
    return redirect("usage:overview", slug=invitation.tenant.slug)


def _as_new(request: HttpRequest, invitation: Invitation, person: User, at: datetime) -> HttpResponse:
    """For who is not: a form for a name and a first password, or the way to sign in."""
    context = {"invitation": invitation, "next": request.path}
    if person.has_usable_password():
        return render(request, PAGE, context | {"has_account": True})
    initial = {"name": person.get_full_name()}
    form = JoinForm(person, request.POST if request.method == "POST" else None, initial=initial)
    if not form.is_valid():
        return render(request, PAGE, context | {"form": form}, status=422 if form.is_bound else 200)
    words = {"name": form.cleaned_data["name"], "password": form.cleaned_data["new_password1"]}
    try:
        joined = join_as_new(invitation, **words, at=at)
    except HasAccount:
        return render(request, PAGE, context | {"has_account": True})
    login(request, joined)
    return redirect("usage:overview", slug=invitation.tenant.slug)
