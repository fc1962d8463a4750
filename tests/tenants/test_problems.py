"""Refusals that programs read."""

from __future__ import annotations

import json

import pytest
from django.test import RequestFactory

from tenants.problems import problem
from tenants.requests import as_tenant_request


def answer(request_id: str) -> tuple[dict[str, object], dict[str, str]]:
    request = as_tenant_request(RequestFactory().get("/"))
    request.request_id = request_id
    response = problem(
        request,
        status=429,
        title="Quota exceeded",
        detail="You’ve used all 1,000 API calls.",
        type="https://iana.org/assignments/http-problem-types#quota-exceeded",
        headers={"Retry-After": "60"},
        metric="api_calls",
        **{"violated-policies": ["api_calls"]},
    )
    return json.loads(response.content), dict(response.headers)


class TestProblem:
    def test_carries_the_members_of_rfc_9457_and_those_older_clients_read(self) -> None:
        body, headers = answer("5b2f6c0e-1f2a-4b3c-8d4e-5f60718293a4")
        assert body == {
            "type": "https://iana.org/assignments/http-problem-types#quota-exceeded",
            "title": "Quota exceeded",
            "status": 429,
            "detail": "You’ve used all 1,000 API calls.",
            "instance": "urn:uuid:5b2f6c0e-1f2a-4b3c-8d4e-5f60718293a4",
            "error": "Quota exceeded",
            "message": "You’ve used all 1,000 API calls.",
            "metric": "api_calls",
            "violated-policies": ["api_calls"],
        }
        assert headers["Content-Type"] == "application/problem+json"
        assert (headers["Cache-Control"], headers["Retry-After"]) == ("no-store", "60")

    @pytest.mark.parametrize(
        ("request_id", "instance"),
        [
            ("trace-17", "urn:request:trace-17"),
            ("5b2f6c0e1f2a4b3c8d4e5f60718293a4", "urn:request:5b2f6c0e1f2a4b3c8d4e5f60718293a4"),
        ],
    )
    def test_names_request_ids_of_other_forms_as_they_are(self, request_id: str, instance: str) -> None:
        assert answer(request_id)[0]["instance"] == instance
