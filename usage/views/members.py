"""The page of members: who belongs here as what, who is invited, and how it ends."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tenants.access import tenant_page
from tenants.invitations import NotInvited, grantable, invite, invite_again, withdraw
from tenants.members import LastOwner, NotAllowed, change_role, remove_member
from tenants.models import Invitation, Membership
from tenants.requests import TenantRequest
from tenants.throttle import INVITE
from usage.member_forms import AGAIN, InvitationForm, InviteForm, RoleForm
from usage.reports.member_page import member_page
from usage.views.tenant import here

ADMIN, OWNER = Membership.Role.ADMIN, Membership.Role.OWNER
PAGE = "usage/members.html"
OVER = gettext_lazy("This invitation was accepted or withdrawn meanwhile.")


@require_safe
@tenant_page()
def members(request: TenantRequest, slug: str) -> HttpResponse:
    """Everybody who belongs to the tenant, and, for who may invite, who is invited."""
    return _page(request)


@require_POST
@tenant_page(ADMIN)
def add(request: TenantRequest, slug: str) -> HttpResponse:
    """Invite somebody by mail."""
    form = InviteForm(request.POST, roles=grantable(_role(request)))
    if not form.is_valid():
        return _page(request, form=form, status=422)
    if text := _throttled(request):
        form.add_error("email", text)
        return _page(request, form=form, status=429)
    try:
        made = invite(here(request), **form.cleaned_data, by=request.user, at=timezone.now())
    except NotInvited as error:
        form.add_error("email", str(error))
        return _page(request, form=form, status=422)
    text = _("%(email)s is invited; the mail with the link is on its way.")
    messages.success(request, text % {"email": made.email})
    return redirect("usage:members", slug=slug)


@require_POST
@tenant_page(ADMIN)
def change_invitation(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Send an invitation again, or withdraw it."""
    invitation = get_object_or_404(Invitation.objects.select_related("tenant"), pk=pk, tenant=request.tenant)
    form, at = InvitationForm(request.POST), timezone.now()
    if not form.is_valid():
        return HttpResponseBadRequest("do: again or withdraw")
    if invitation.role not in grantable(_role(request)):
        raise PermissionDenied
    if form.cleaned_data["do"] == AGAIN:
        _send_again(request, invitation)
    elif withdraw(invitation, by=request.user, at=at):
        messages.success(
            request, _("The invitation of %s is withdrawn; its link opens nothing.") % invitation.email
        )
    else:
        messages.warning(request, OVER)
    return redirect("usage:members", slug=slug)


@require_POST
@tenant_page(OWNER)
def set_role(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Make a member something else."""
    member, form = _member(request, pk), RoleForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("role: owner, admin or viewer")
    role = form.cleaned_data["role"]
    try:
        withdrawn = change_role(member, role, by=request.user, at=timezone.now())
    except (LastOwner, NotAllowed) as error:
        return _page(request, refused=(member.pk, str(error)), status=422)
    text = _("%(who)s is %(role)s now.") % {"who": member.user, "role": role.label}
    messages.success(request, f"{text} {_withdrawn(withdrawn)}".strip())
    return redirect("usage:members", slug=slug)


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page(OWNER)
def remove(request: TenantRequest, slug: str, pk: int) -> HttpResponse:
    """Ask whether that is meant, then end a membership."""
    return _end(request, _member(request, pk))


@require_http_methods(["GET", "HEAD", "POST"])
@tenant_page()
def leave(request: TenantRequest, slug: str) -> HttpResponse:
    """Ask whether that is meant, then end one's own membership."""
    if request.membership is None:
        raise PermissionDenied
    return _end(request, request.membership)


def _end(request: TenantRequest, member: Membership) -> HttpResponse:
    slug, is_own = here(request).slug, member.user == request.user
    context = {"member": member, "is_own": is_own}
    if request.method != "POST":
        return render(request, "usage/member_remove.html", context)
    try:
        withdrawn = remove_member(member, by=request.user, at=timezone.now())
    except (LastOwner, NotAllowed) as error:
        return render(request, "usage/member_remove.html", {**context, "refusal": error}, status=422)
    if is_own:
        messages.success(request, _("You have left %s.") % here(request))
        return redirect("tenants:home")
    text = _("%s was removed, and sees nothing of the organisation any more.") % member.user
    messages.success(request, f"{text} {_withdrawn(withdrawn)}".strip())
    return redirect("usage:members", slug=slug)


def _member(request: TenantRequest, pk: int) -> Membership:
    """The member of the address, for who may decide: staff only look, and there is nothing to see."""
    if request.membership is None:
        raise PermissionDenied
    rows = Membership.objects.filter(tenant=request.tenant).select_related("user", "tenant")
    return get_object_or_404(rows, pk=pk)


def _role(request: TenantRequest) -> str:
    assert request.membership is not None  # staff who are no members don't come so far
    return request.membership.role


def _send_again(request: TenantRequest, invitation: Invitation) -> None:
    if text := _throttled(request):
        messages.warning(request, text)
    elif invite_again(invitation, by=request.user, at=timezone.now()):
        text = _("The mail to %s is on its way again; only the link in the newest works.")
        messages.success(request, text % invitation.email)
    else:
        messages.warning(request, OVER)


def _throttled(request: TenantRequest) -> str:
    """What to say to who sends too many; empty for everybody else."""
    wait = INVITE.count(str(here(request).pk), timezone.now())
    minutes = -(-wait // 60)
    text = ngettext(
        "That were too many invitations in an hour. Wait %d minute.",
        "That were too many invitations in an hour. Wait %d minutes.",
        minutes,
    )
    return text % minutes if wait else ""


def _withdrawn(count: int) -> str:
    text = ngettext("%d invitation of theirs is withdrawn.", "%d invitations of theirs are withdrawn.", count)
    return text % count if count else ""


def _page(request: TenantRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    page = member_page(here(request), request.membership, timezone.now())
    context = {"page": page, "form": InviteForm(roles=page.roles), **more}
    return render(request, PAGE, context, status=status)
