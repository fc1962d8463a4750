"""Secrets stay where they belong: not in logs, not in the pages that are shown, not in what an error mails."""

from __future__ import annotations

import logging

import pytest
from django.core import mail
from django.test import RequestFactory
from django.utils.log import AdminEmailHandler
from django.views.debug import ExceptionReporter
from pytest_django import Settings

from tests.isolation.actors import World
from tests.isolation.addresses import addresses
from tests.isolation.asked import path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_db")]

SECRET = "hr_0123456789ab_" + "s" * 43
PASSWORD = "correct horse battery"


class TestKeys:
    def test_are_not_in_the_log_of_what_they_ask_for(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        logging.disable(logging.NOTSET)
        with caplog.at_level(logging.DEBUG):
            for address in addresses():
                world.send("key", "GET", path_of(address, world.ours))
        secrets = [world.ours.secret, world.ours.secret.rpartition("_")[2]]
        assert not [one for one in secrets if one in caplog.text]

    def test_are_on_no_page_once_they_were_shown(self, world: World) -> None:
        secret = world.ours.secret.rpartition("_")[2]
        for address in addresses():
            for actor in ("owner", "staff"):
                answer = world.send(actor, "GET", path_of(address, world.ours))
                assert secret not in answer.getvalue().decode(errors="replace"), f"{address} as {actor}"


class TestErrorMail:
    def test_says_neither_key_nor_cookie_nor_password(self, settings: Settings) -> None:
        settings.ADMINS, settings.DEBUG = [("Ops", "ops@example.com")], False
        request = RequestFactory().post(
            "/sign-in/",
            {"username": "olive@northwind.example", "password": PASSWORD},
            headers={"Authorization": f"Bearer {SECRET}", "Cookie": "sessionid=abcdefsession"},
        )
        record = logging.LogRecord("django.request", logging.ERROR, __file__, 1, "failed", None, None)
        record.request = request
        AdminEmailHandler().emit(record)
        (sent,) = mail.outbox
        said = f"{sent.message()}"
        assert "/sign-in/" in said
        assert not [one for one in (SECRET, PASSWORD, "abcdefsession") if one in said]

    def test_of_settings_says_no_secret(self, settings: Settings) -> None:
        text = ExceptionReporter(RequestFactory().get("/"), None, None, None).get_traceback_text()
        password = settings.DATABASES["default"]["PASSWORD"]
        assert settings.SECRET_KEY not in text
        assert not password or password not in text
