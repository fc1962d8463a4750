"""Importing tenants from a CSV: shown first, then done whole or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from billing import imports
from billing.import_rows import read_rows
from billing.models import EntitlementChange, Plan, Subscription
from billing.subscriptions import subscribe
from tenants.models import Membership, Tenant, User
from tests.conftest import MakeTenant, MakeUser

PLANS = ("free", "starter", "pro", "enterprise")
GOOD = """\
slug,name,plan,owner
northwind,Northwind Labs,pro,Olive@Northwind.example
acme,"Acme, Inc.",free,wile@acme.example
"""


def read(text: str) -> tuple[list[tuple[str, str, str, str]], list[str]]:
    rows, mistakes = read_rows(text.splitlines(keepends=True), PLANS)
    return [(row.slug, row.name, row.plan, row.owner) for row in rows], [str(one) for one in mistakes]


class TestReadRows:
    def test_reads_quotes_spaces_empty_lines_and_columns_in_any_order(self) -> None:
        text = 'Owner, plan ,name,slug\n ann@x.example ,pro,"A, B ""C""",ab\n\n,,,\nbo@x.example,free,B,b\n'
        assert read(text) == (
            [("ab", 'A, B "C"', "pro", "ann@x.example"), ("b", "B", "free", "bo@x.example")],
            [],
        )

    @pytest.mark.parametrize(
        ("line", "mistake"),
        [
            ("a b,A,pro,a@x.example", "line 2, slug “a b”: Enter a valid “slug”"),
            (",A,pro,a@x.example", "line 2, slug “”: This field cannot be blank."),
            (f"{'a' * 64},A,pro,a@x.example", "Ensure this value has at most 63 characters"),
            ("a,,pro,a@x.example", "line 2, name “”: This field cannot be blank."),
            (
                "a,A,gold,a@x.example",
                "line 2, plan “gold”: There is no such plan: use enterprise, free, pro, starter.",
            ),
            ("a,A,pro,ann", "line 2, owner “ann”: Enter a valid email address."),
            ("a,A,pro", "line 2, row “a,A,pro”: It has 3 columns instead of 4"),
            (
                "a,A,B,pro,a@x.example",
                "It has 5 columns instead of 4: put values that hold a comma in quotes.",
            ),
            ('a,"A,pro,a@x.example', "Close each quotation mark"),
        ],
    )
    def test_names_line_column_value_and_remedy(self, line: str, mistake: str) -> None:
        rows, mistakes = read(f"slug,name,plan,owner\n{line}\n")
        assert rows == []
        assert any(mistake in one for one in mistakes), mistakes

    def test_finds_all_mistakes_of_a_file_and_keeps_the_good_rows(self) -> None:
        rows, mistakes = read(
            "slug,name,plan,owner\na b,A,gold,x\nb,B,pro,b@x.example\nb,B2,pro,b@x.example\n"
        )
        assert [row[0] for row in rows] == ["b"]
        assert len(mistakes) == 4
        assert mistakes[-1] == "line 4, slug “b”: It is on line 3 already: keep one of them."

    @pytest.mark.parametrize(
        "text", ["", "slug;name;plan;owner\n", "slug,name,plan\n", "slug,name,plan,owner,x\n"]
    )
    def test_asks_for_the_right_header(self, text: str) -> None:
        _, mistakes = read(text)
        assert len(mistakes) == 1
        assert "Begin the file with the line slug,name,plan,owner" in mistakes[0]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenants.csv"
    path.write_text(GOOD, encoding="utf-8")
    return path


def run(path: Path, *options: str) -> str:
    out = StringIO()
    call_command("import_tenants", str(path), *options, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.django_db
class TestShow:
    def test_says_what_it_would_do_and_writes_nothing(self, file: Path) -> None:
        assert run(file).splitlines() == [
            "new        northwind  name “Northwind Labs”, plan Pro, owner olive@northwind.example (new person)",
            "new        acme  name “Acme, Inc.”, plan Free, owner wile@acme.example (new person)",
            "2 new, 0 changed, 0 unchanged.",
            "Nothing was written yet: add --apply to do it.",
        ]
        assert (Tenant.objects.count(), User.objects.count()) == (0, 0)

    def test_names_each_difference_to_what_is_there(
        self, file: Path, make_tenant: MakeTenant, make_user: MakeUser
    ) -> None:
        northwind = make_tenant("northwind", plan="starter", name="Northwind")
        make_user("olive@northwind.example", Membership.Role.VIEWER, northwind)
        acme = make_tenant("acme", name="Acme, Inc.")  # on no plan of its own: the default plan is free
        make_user("wile@acme.example", Membership.Role.OWNER, acme)
        assert run(file).splitlines()[:3] == [
            "changed    northwind  name “Northwind” → “Northwind Labs”, plan Starter → Pro, "
            "owner olive@northwind.example",
            "unchanged  acme",
            "0 new, 1 changed, 1 unchanged.",
        ]

    def test_compares_with_the_plan_that_comes_next(self, file: Path, make_tenant: MakeTenant) -> None:
        tenant = make_tenant("northwind", plan="starter", name="Northwind Labs")
        later = timezone.now() + timedelta(days=3)
        subscribe(tenant, Plan.objects.get(slug="pro"), at=later, actor=None, reason="upgrade")
        assert "plan" not in run(file).splitlines()[0]


@pytest.mark.django_db
class TestApply:
    def test_makes_tenants_with_plans_and_owners_who_need_a_link(self, file: Path) -> None:
        out = run(file, "--apply")
        tenant = Tenant.objects.get(slug="northwind")
        membership = Membership.objects.select_related("user").get(tenant=tenant)
        subscription = Subscription.objects.get(tenant=tenant)
        change = EntitlementChange.objects.get(tenant=tenant)
        assert (tenant.name, subscription.plan.slug, subscription.ends) == ("Northwind Labs", "pro", None)
        assert (membership.user.email, membership.role) == ("olive@northwind.example", "owner")
        assert not membership.user.has_usable_password()
        assert change.reason == "Imported from tenants.csv"
        assert out.splitlines()[-5:-1] == [
            "Done.",
            "These people are new and have no password yet:",
            "  olive@northwind.example",
            "  wile@acme.example",
        ]
        assert "/password/reset/" in out

    def test_a_second_time_changes_nothing(self, file: Path) -> None:
        run(file, "--apply")
        before = list(Subscription.objects.values())
        out = run(file, "--apply")
        assert "0 new, 0 changed, 2 unchanged." in out
        assert "no password" not in out
        assert list(Subscription.objects.values()) == before

    def test_brings_what_is_there_to_what_the_file_says(
        self, file: Path, make_tenant: MakeTenant, make_user: MakeUser
    ) -> None:
        tenant = make_tenant("northwind", plan="starter", name="Northwind")
        owner = make_user("olive@northwind.example", Membership.Role.VIEWER, tenant)
        run(file, "--apply")
        tenant.refresh_from_db()
        assert tenant.name == "Northwind Labs"
        assert Membership.objects.get(tenant=tenant, user=owner).role == "owner"
        assert Subscription.objects.running(timezone.now()).get(tenant=tenant).plan.slug == "pro"

    def test_one_new_person_may_own_several(self, file: Path) -> None:
        file.write_text(
            "slug,name,plan,owner\na,A,free,ann@x.example\nb,B,free,ANN@x.example\n", encoding="utf-8"
        )
        run(file, "--apply")
        assert User.objects.get().memberships.count() == 2

    @pytest.mark.parametrize(
        ("tenant_fields", "user_fields", "mistake"),
        [
            ({"status": "closed"}, {}, "line 2, slug “northwind”: This tenant is closed"),
            (
                {},
                {"is_active": False},
                "line 2, owner “olive@northwind.example”: This person is switched off",
            ),
        ],
    )
    def test_refuses_what_stands_against_it_and_does_nothing(
        self,
        file: Path,
        make_tenant: MakeTenant,
        make_user: MakeUser,
        capsys: pytest.CaptureFixture[str],
        tenant_fields: dict[str, str],
        user_fields: dict[str, Any],
        mistake: str,
    ) -> None:
        make_user("olive@northwind.example", **user_fields)
        make_tenant("northwind", **tenant_fields)
        with pytest.raises(CommandError, match="1 mistake; nothing was imported"):
            call_command("import_tenants", str(file), "--apply")
        assert mistake in capsys.readouterr().err
        assert not Tenant.objects.filter(slug="acme").exists()

    def test_reads_what_spreadsheets_save(self, file: Path) -> None:
        file.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
        assert "2 new" in run(file)

    @pytest.mark.parametrize(("content", "error"), [(None, "can't be read"), (b"\xff\xfe", "is not UTF-8")])
    def test_says_what_is_wrong_with_the_file(self, file: Path, content: bytes | None, error: str) -> None:
        file.unlink()
        if content:
            file.write_bytes(content)
        with pytest.raises(CommandError, match=error):
            run(file)


class TestWholeOrNot:
    def test_an_import_that_breaks_in_the_middle_leaves_nothing(
        self, transactional_db: None, file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def breaks_at_the_second(tenant: Tenant, *args: object, **kwargs: object) -> Subscription:
            if tenant.slug == "acme":
                raise RuntimeError("PostgreSQL went away")
            return subscribe(tenant, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(imports, "subscribe", breaks_at_the_second)
        with pytest.raises(RuntimeError):
            run(file, "--apply")
        assert (Tenant.objects.count(), User.objects.count(), Subscription.objects.count()) == (0, 0, 0)


def test_times_are_those_of_the_import(file: Path, db: None) -> None:
    before = timezone.now()
    run(file, "--apply")
    assert before <= Subscription.objects.earliest("starts").starts <= timezone.now()
    assert Tenant.objects.filter(created_at__gte=datetime(2020, 1, 1, tzinfo=UTC)).count() == 2
