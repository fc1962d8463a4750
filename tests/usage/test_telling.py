"""The whole way: calls counted by many processes, kept, judged, and told by one mail."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack

import pytest
import redis
from django.conf import settings as django_settings
from django.utils import timezone

from tenants.models import Tenant
from tests.usage.alerting import own
from tests.usage.mailserver import MailServer, worker_environment
from usage.alerts import outbox
from usage.metering import chores
from usage.models import Alert, Delivery

OWNER = "olive@northwind.example"
PROCESSES = 8
# On a busy machine eight processes wait for their turn; none may take that for an outage.
PATIENT = {"DJANGO_SETTINGS_MODULE": "config.settings", "HEADROOM_REDIS_DEADLINE_MS": "20000"}


@pytest.mark.counting
@pytest.mark.django_db(transaction=True)
class TestThresholdCrossedByManyProcesses:
    def test_is_one_alert_and_one_mail(
        self, tenant: Tenant, redis_db: redis.Redis, mail_server: MailServer
    ) -> None:
        """The default plan stops at 1 000 calls: 8 × 100 are its 80 %."""
        own(tenant, OWNER)
        with ExitStack() as stack:
            tellers = [stack.enter_context(start(tenant, 100, mail_server.port)) for _ in range(PROCESSES)]
            for teller in tellers:
                assert teller.stdout
                assert teller.stdout.readline() == "ready\n"
            for teller in tellers:
                teller.stdin.write("go\n")  # type: ignore[union-attr]
                teller.stdin.flush()  # type: ignore[union-attr]
            assert [teller.wait(120) for teller in tellers] == [0] * PROCESSES
        chores.flush(timezone.now())
        outbox.deliver_due(timezone.now())

        alert = Alert.objects.get()
        assert (alert.percent, alert.used, alert.limit, alert.is_sent) == (80, 800, 1_000, True)
        assert mail_server.receivers == [OWNER]
        delivery = Delivery.objects.get()
        assert delivery.status == Delivery.Status.SENT
        assert mail_server.mails[0]["Message-ID"] == f"<{delivery.pk}@localhost>"


def start(tenant: Tenant, calls: int, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.usage.teller", tenant.slug, str(calls)],
        env={**worker_environment(port), **PATIENT},
        cwd=django_settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
