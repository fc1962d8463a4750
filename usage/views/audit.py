"""The audit page of operations: who did what, when, and to whom; as a page and for spreadsheets."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from tenants.access import staff_page
from tenants.requests import TenantRequest
from usage.audit_forms import AuditForm
from usage.reports.audit_page import NOTHING, audit_csv
from usage.reports.audit_page import audit as read_audit


@require_safe
@staff_page
def audit(request: TenantRequest) -> HttpResponse:
    """Acts, newest first; a filter that names nothing says so, and shows nothing."""
    form, at = AuditForm(request.GET), timezone.now()
    is_valid = form.is_valid()
    found = read_audit(form.asked(), after=request.GET.get("after", ""), at=at) if is_valid else NOTHING
    narrow = _filters(request.GET)
    return render(
        request,
        "usage/audit.html",
        {
            "form": form,
            "audit": found,
            "is_narrow": bool(narrow),
            "csv": _address("usage:audit_csv", narrow),
            "newer": _address("usage:audit", {**narrow, "after": found.previous or ""}),
            "older": _address("usage:audit", {**narrow, "after": found.next or ""}),
        },
    )


@require_safe
@staff_page
def audit_as_csv(request: TenantRequest) -> HttpResponseBase:
    """All that the filters let through; where one is wrong, the page that says so."""
    form = AuditForm(request.GET)
    if not form.is_valid():
        return redirect(_address("usage:audit", _filters(request.GET)))
    response = StreamingHttpResponse(audit_csv(form.asked()), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return response


def _filters(query: QueryDict) -> dict[str, str]:
    """What of the address narrows the list."""
    return {name: value for name in AuditForm.base_fields if (value := query.get(name, ""))}


def _address(name: str, query: dict[str, str]) -> str:
    asked = {key: value for key, value in query.items() if value}
    return f"{reverse(name)}{'?' if asked else ''}{urlencode(asked)}"
