"""A file between its preview and the yes: kept whole, imported once, gone after a day."""

from __future__ import annotations

import gzip
import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from billing.costs import pending, summary
from billing.costs.pending import confirm, receive, sweep
from billing.costs.summary import ServiceSum, Summary, as_json, from_json, summarise
from billing.focus import Reading, Refused
from billing.focus_lines import unpacked
from billing.models import CostBill, PendingImport, PendingPart
from tenants.models import User
from tests.billing.focus_files import bill, packed, small
from usage import tasks

pytestmark = pytest.mark.django_db

AT = datetime(2026, 11, 23, 8, tzinfo=UTC)


def send(content: bytes, author: User, at: datetime = AT) -> PendingImport:
    return receive(io.BytesIO(content), name="oct.csv", provider="AWS", author=author, at=at)


def read(content: bytes) -> Summary:
    return summarise(Reading(unpacked(io.BytesIO(content)), provider="AWS"))


class TestSummary:
    def test_adds_up_per_provider_month_and_service(self) -> None:
        rows: list[dict[str, str]] = [
            {"BilledCost": "1.5E-7"},
            {"BilledCost": "-2", "ServiceName": "Credit"},
            {"BilledCost": "4", "ChargePeriodStart": "2026-10-03", "ChargePeriodEnd": "2026-10-05"},
            {"ProviderName": "GCP", "ChargePeriodStart": "2026-09-30", "ChargePeriodEnd": "2026-09-30"},
        ]
        aws, gcp = read(small(*rows, also=("ProviderName", "ChargePeriodEnd"))).bills
        assert (aws.provider, aws.month, aws.rows) == ("AWS", date(2026, 10, 1), 3)
        assert aws.total == Decimal("2.00000015")
        assert aws.services == (
            ServiceSum("Compute", 2, Decimal("4.00000015")),
            ServiceSum("Credit", 1, Decimal(-2)),
        )
        assert (aws.first, aws.last) == (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 5, tzinfo=UTC))
        assert (gcp.provider, gcp.month, gcp.rows) == ("GCP", date(2026, 9, 1), 1)

    def test_is_the_same_after_it_was_kept(self) -> None:
        found = read(bill({"EffectiveCost": "1.5E-7"}, {"ServiceName": "Ü"}))
        assert from_json(as_json(found)) == found

    @pytest.mark.parametrize(
        ("name", "text"), [("MOST_SERVICES", "3 services"), ("MOST_BILLS", "3 providers")]
    )
    def test_is_of_so_many_at_most(self, monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
        monkeypatch.setattr(summary, name, 3)
        rows = [{"ServiceName": f"s {n}", "ProviderName": f"p {n}"} for n in range(9)]
        with pytest.raises(Refused, match=f"More than {text}"):
            read(small(*rows, also=("ProviderName",)))


class TestKeptFile:
    @pytest.mark.parametrize("pack", [bytes, packed])
    def test_is_the_file_again(self, staff: User, monkeypatch: pytest.MonkeyPatch, pack: type[bytes]) -> None:
        monkeypatch.setattr(pending, "PART", 1_000)
        rows = [{"ServiceName": hashlib.sha256(bytes([n])).hexdigest()} for n in range(256)]
        plain = small(*rows)
        kept = send(pack(plain), staff)
        assert kept.parts.count() > 5
        file = pending.unpacked(kept)
        lines = list(iter(lambda: file.readline(10_000), b""))
        assert b"".join(lines) == plain

    def test_is_kept_compressed(self, staff: User) -> None:
        plain = small(*[{}] * 5_000)
        kept = send(plain, staff)
        data = b"".join(bytes(part.data) for part in kept.parts.order_by("number"))
        assert gzip.decompress(data) == plain
        assert len(data) < len(plain) / 20

    def test_with_a_mistake_is_not_kept(self, staff: User) -> None:
        with pytest.raises(Refused):
            send(small({"BilledCost": "x"}), staff)
        assert not PendingImport.objects.exists()


class TestConfirm:
    def test_imports_it_once(self, staff: User, owner: User) -> None:
        kept = send(small({"BilledCost": "3"}), staff)
        (made,) = confirm(kept.pk, author=owner, at=AT)
        assert (made.total, made.sha256) == (Decimal(3), kept.sha256)
        assert (made.source, made.author) == ("oct.csv", owner)
        assert not PendingImport.objects.exists()
        assert not PendingPart.objects.exists()
        with pytest.raises(PendingImport.DoesNotExist):
            confirm(kept.pk, author=owner, at=AT)

    def test_that_can_no_longer_be_keeps_the_file(self, staff: User, settings: object) -> None:
        kept = send(bill(), staff)
        settings.HEADROOM_CURRENCY = "EUR"  # type: ignore[attr-defined]  # pytest-django's
        with pytest.raises(Refused, match="Amounts are kept in EUR"):
            confirm(kept.pk, author=staff, at=AT)
        assert PendingImport.objects.exists()
        assert not CostBill.objects.exists()


class TestSweep:
    def test_lets_files_go_after_a_day(self, staff: User) -> None:
        old, new = send(bill(), staff), send(small(), staff, AT + timedelta(hours=1))
        assert sweep(AT + timedelta(days=1, minutes=1)) == 1
        assert set(PendingPart.objects.values_list("pending", flat=True)) == {new.pk}
        assert not PendingImport.objects.filter(pk=old.pk).exists()

    def test_comes_with_the_next_file(self, staff: User) -> None:
        send(bill(), staff)
        new = send(bill(), staff, AT + timedelta(days=2))
        assert PendingImport.objects.get() == new

    def test_is_done_by_the_task_and_its_command(
        self, staff: User, capsys: pytest.CaptureFixture[str]
    ) -> None:
        send(bill(), staff, datetime(2026, 1, 1, tzinfo=UTC))
        call_command("sweep_imports")
        assert "sweep_imports: 1" in capsys.readouterr().out
        send(bill(), staff, datetime(2026, 1, 1, tzinfo=UTC))
        tasks.sweep_imports()
        assert not PendingImport.objects.exists()
