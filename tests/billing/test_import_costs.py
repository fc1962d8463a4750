"""The command that imports a bill: shows what it does, does all of it, or names what is wrong."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from billing.models import CostBill, CostRow
from tests.billing.focus_files import bill, packed, small

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "oct.csv.gz"
    path.write_bytes(packed(bill({}, {"EffectiveCost": "1234.5", "ServiceName": "Storage"})))
    return path


def run(path: Path, *options: str) -> str:
    out = StringIO()
    call_command("import_costs", str(path), *options, stdout=out)
    return out.getvalue()


class TestImport:
    def test_imports_and_says_what(self, file: Path) -> None:
        out = run(file)
        assert "AWS, 2026-10: 2 rows, 1,242.50" in out
        assert "1,234.50          1 rows  Storage" in out
        assert "Imported: AWS, 2026-10 (version 1)." in out
        assert (CostBill.objects.get().source, CostRow.objects.count()) == ("oct.csv.gz", 2)

    def test_says_what_it_replaces(self, file: Path, tmp_path: Path) -> None:
        run(file)
        other = tmp_path / "other.csv"
        other.write_bytes(bill({"EffectiveCost": "1240"}))
        out = run(other)
        assert "replaces version 1: 1,242.50, -2.50 beside it" in out
        assert CostBill.objects.current().get().version == 2

    def test_says_that_it_was_imported_before(self, file: Path) -> None:
        run(file)
        assert "The same file was imported at" in run(file, "--dry-run")

    def test_dry_does_nothing(self, file: Path) -> None:
        assert "Nothing was imported: leave out --dry-run" in run(file, "--dry-run")
        assert not CostBill.objects.exists()

    def test_takes_the_provider_that_the_file_does_not_name(self, tmp_path: Path) -> None:
        path = tmp_path / "plain.csv"
        path.write_bytes(small(also=("Costs",)))
        assert "Not columns of FOCUS, left out: Costs." in run(path, "--provider", " Hetzner ")
        assert CostBill.objects.get().provider == "Hetzner"

    def test_shows_the_twenty_dearest_services(self, tmp_path: Path) -> None:
        path = tmp_path / "many.csv"
        path.write_bytes(small(*({"ServiceName": f"\x1b[2J{n}"} for n in range(25))))
        out = run(path, "--provider", "AWS")
        assert "and 5 more services" in out
        assert "\x1b" not in out


class TestRefusal:
    def test_names_each_mistake_and_imports_nothing(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "bad.csv"
        path.write_bytes(small({}, *({"BilledCost": "x"},) * 25))
        with pytest.raises(CommandError, match="25 mistakes; nothing was imported"):
            run(path, "--provider", "AWS")
        error = capsys.readouterr().err
        assert "line 3, BilledCost “x”: Write a number" in error
        assert "and 5 more" in error
        assert not CostBill.objects.exists()

    def test_says_that_there_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match=r"none\.csv can't be read \(No such file or directory\)"):
            run(tmp_path / "none.csv")
