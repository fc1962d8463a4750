"""The page of API keys: made with a secret that is shown once, replaced with an overlap, revoked."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.access import tenant_page
from tenants.keyring import NameTaken, NotLive, TooManyKeys, add_key, rotate_key
from tenants.keys import NewKey, revoke_key
from tenants.models import ApiKey, Membership
from tenants.requests import TenantRequest
from usage.key_forms import NewKeyForm, RotateForm
from usage.reports.key_page import felt_within, key_line, key_page, try_line
from usage.views.tenant import here

ADMIN = Membership.Role.ADMIN
PAGE = "usage/keys.html"


@require_safe
@tenant_page()
def keys(request: TenantRequest, slug: str) -> HttpResponse:
    """All keys of the tenant; viewers look, and nobody sees a secret."""
    return _page(request, form=NewKeyForm())


@require_POST
@tenant_page(ADMIN)
def add(request: TenantRequest, slug: str) -> HttpResponse:
    """Make a key; the page that follows shows its secret, once."""
    form = NewKeyForm(request.POST)
    if not form.is_valid():
        return _page(request, form=form, status=422)
    words = {"name": form.cleaned_data["name"], "expires_at": form.expires_at}
    try:
        made = add_key(here(request), **words, person=request.user, at=timezone.now())
    except (NameTaken, TooManyKeys) as error:
        form.add_error("name", str(error))
        return _page(request, form=form, status=422)
    return _shown(request, made)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(ADMIN)
def rotate(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Ask how long the old key goes on, then make the new one; the page that follows shows its secret, once."""
    key, at = _key(request, pk), timezone.now()
    form = RotateForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"key": key_line(key, at), "form": form, "felt": felt_within()}
        return render(request, "usage/key_rotate.html", context, status=422 if form.is_bound else 200)
    try:
        made = rotate_key(key, overlap=form.cleaned_data["overlap"], person=request.user, at=at)
    except (NotLive, TooManyKeys) as error:
        messages.warning(request, str(error))
        return redirect("usage:keys", slug=slug)
    return _shown(request, made)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(ADMIN)
def revoke(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Ask whether that is meant, then revoke the key."""
    key, at = _key(request, pk), timezone.now()
    if request.method != "POST":
        context = {"key": key_line(key, at), "felt": felt_within()}
        return render(request, "usage/key_revoke.html", context)
    if revoke_key(key, at, request.user):
        messages.success(request, _("%s was revoked.") % key)
    else:
        messages.warning(request, _("%s was revoked already.") % key)
    return redirect("usage:keys", slug=slug)


def _key(request: TenantRequest, pk: int) -> ApiKey:
    """The key of the address, for who may change it: staff only look, and there is nothing to see."""
    if request.membership is None:
        raise PermissionDenied
    return get_object_or_404(ApiKey.objects.select_related("tenant"), pk=pk, tenant=request.tenant)


def _shown(request: TenantRequest, made: NewKey) -> HttpResponse:
    context = {"key": made.key, "secret": made.secret, "try_line": try_line(made.secret)}
    return _page(request, form=NewKeyForm(), shown=context)


def _page(request: TenantRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    """The whole page; with a secret on it nobody keeps a copy."""
    context = {
        "page": key_page(here(request), timezone.now(), for_staff=request.is_viewing_as),
        "may_edit": request.membership is not None and request.membership.reaches(ADMIN),
        **more,
    }
    response = render(request, PAGE, context, status=status)
    response["Cache-Control"] = "no-store"
    return response
