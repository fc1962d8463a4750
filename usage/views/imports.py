"""The staff pages that import providers' bills: the list, the preview of a file, and the yes."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.costs import pending as waiting
from billing.focus import Refused
from billing.models import PendingImport
from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.import_forms import BillForm
from usage.reports.imports import imports as read_imports
from usage.reports.imports import preview

PAGE = "usage/imports.html"


@require_http_methods(["GET", "HEAD", "POST"])
@staff_page
def imports(request: TenantRequest) -> HttpResponse:
    """All bills; a file that is sent is read, and previewed where it has no mistake."""
    form, refused = BillForm(), None
    if request.method == "POST":
        _require_importer(request)
        form = BillForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                return redirect("usage:import_preview", pending=_receive(request, form).pk)
            except Refused as found:
                refused = found
    report = read_imports(after=request.GET.get("after"), at=timezone.now())
    context = {"report": report, "form": form, "refused": refused, "may_import": _may_import(request)}
    return render(request, PAGE, context)


@require_safe
@staff_page
def import_preview(request: TenantRequest, pending: UUID) -> HttpResponse:
    """What importing a file that waits would do."""
    _require_importer(request)
    report = preview(get_object_or_404(PendingImport, pk=pending), timezone.now())
    return render(request, "usage/import_preview.html", {"report": report})


@require_POST
@staff_page
def import_confirm(request: TenantRequest, pending: UUID) -> HttpResponse:
    """Import a file that waits."""
    _require_importer(request)
    try:
        bills = waiting.confirm(pending, author=request.user, at=timezone.now())
    except PendingImport.DoesNotExist:
        messages.warning(request, _("This file was imported already, or waited for a day: send it again."))
    except Refused as refused:  # the settings' currency has changed meanwhile
        messages.error(request, _("Nothing was imported: %(mistakes)s") % {"mistakes": refused})
    else:
        text = ngettext(
            "%(n)d bill was imported: %(names)s.", "%(n)d bills were imported: %(names)s.", len(bills)
        )
        messages.success(request, text % {"n": len(bills), "names": "; ".join(map(str, bills))})
    return redirect("usage:imports")


def _receive(request: TenantRequest, form: BillForm) -> PendingImport:
    file, provider = form.cleaned_data["file"], form.cleaned_data["provider"]
    return waiting.receive(
        file.file, name=file.name, provider=provider, author=request.user, at=timezone.now()
    )


def _may_import(request: TenantRequest) -> bool:
    return request.user.has_perm("billing.add_costbill")


def _require_importer(request: TenantRequest) -> None:
    if not _may_import(request):
        raise PermissionDenied
