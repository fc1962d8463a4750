"""Who plays in the demo: a dozen customers over all plans, their people, and how each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in; the e-mail address is `login` at the customer's domain."""

    login: str
    name: str
    role: str = "owner"


@dataclass(frozen=True, slots=True)
class Customer:
    """One tenant of the demo; `use` is how full each metric is, in thousandths of its limit.

    `day`: which day of its period today is when the demo is made, so that periods are well advanced on any date.
    `is_fixed`: it stands exactly there, whatever the date; the others go on at their pace.
    `pace`: requests a second of the traffic; 0 leaves its counts alone.
    """

    slug: str
    name: str
    plan: str
    domain: str
    people: tuple[Person, ...]
    note: str
    use: Mapping[str, int] = field(default_factory=dict)
    day: int = 20
    is_fixed: bool = False
    pace: float = 0.0
    ran_out: float = 0.0  # days since its calls were used up and further ones are refused
    asleep: int = 0  # days since it last did anything
    is_new: bool = False
    never_sleeps: bool = False  # as busy at night and on Sundays
    regulars: int = 5  # of its own users, how many the traffic lets come

    @property
    def owner(self) -> Person:
        return next(person for person in self.people if person.role == "owner")

    def email(self, person: Person) -> str:
        return f"{person.login}@{self.domain}.example"

    def user(self, number: int) -> str:
        """One of the customer's own users, whom its programs report: history and traffic know the same ones."""
        return f"user-{number:04}@{self.domain}.example"


def _use(api_calls: int, storage: int, users: int, bandwidth: int) -> dict[str, int]:
    return {"api_calls": api_calls, "storage": storage, "users": users, "bandwidth": bandwidth}


STAFF = Person("ines", "Ines Oliveira", "staff")
STAFF_EMAIL = "ines@headroom.example"

CUSTOMERS = (
    Customer(
        "northwind-labs",
        "Northwind Labs",
        "pro",
        "northwind",
        (
            Person("mia", "Mia Lindqvist"),
            Person("ravi", "Ravi Menon", "admin"),
            Person("joy", "Joy Park", "viewer"),
        ),
        "close to its calls, watched live",
        _use(824, 614, 740, 560),
        pace=1.5,
        regulars=38,
    ),
    Customer(
        "kestrel-freight",
        "Kestrel Freight",
        "pro",
        "kestrel",
        (Person("tomas", "Tomas Brandt"),),
        "past its bandwidth: more is billed",
        _use(640, 480, 560, 1190),
        day=19,
        pace=1.2,
        never_sleeps=True,
    ),
    Customer(
        "lumen-atlas",
        "Lumen Atlas",
        "free",
        "lumenatlas",
        (Person("noor", "Noor Haddad"),),
        "just below 80 % of its calls",
        _use(796, 410, 667, 52),
        day=21,
        is_fixed=True,
    ),
    Customer(
        "quill-and-co",
        "Quill & Co",
        "free",
        "quill",
        (Person("ada", "Ada Quill"),),
        "96 % of its calls used",
        _use(960, 655, 667, 71),
        day=18,
        is_fixed=True,
    ),
    Customer(
        "juniper-and-sons",
        "Juniper & Sons",
        "free",
        "juniper",
        (Person("peter", "Peter Juniper"),),
        "all its calls used, more are refused",
        _use(1000, 540, 667, 88),
        day=22,
        is_fixed=True,
        ran_out=2.7,
    ),
    Customer(
        "fjord-analytics",
        "Fjord Analytics",
        "free",
        "fjord",
        (Person("solveig", "Solveig Dahl"),),
        "crosses 80 % of its calls within two minutes",
        _use(790, 350, 334, 49),
        day=20,
        is_fixed=True,
        pace=0.2,
    ),
    Customer(
        "acme-rockets",
        "Acme Rockets",
        "starter",
        "acme",
        (Person("wile", "Wile Eriksen"),),
        "at its limit and still asking: refused now",
        _use(1000, 470, 700, 390),
        day=20,
        is_fixed=True,
        ran_out=1.6,
        pace=0.4,
    ),
    Customer(
        "meadow-and-finch",
        "Meadow & Finch",
        "starter",
        "meadow",
        (Person("clara", "Clara Finch"),),
        "close to its storage",
        _use(520, 862, 600, 310),
        day=21,
        pace=0.3,
    ),
    Customer(
        "saltmarsh-energy",
        "Saltmarsh Energy",
        "starter",
        "saltmarsh",
        (Person("ewan", "Ewan Marsh"),),
        "idle for weeks",
        _use(240, 305, 300, 160),
        day=19,
        asleep=26,
    ),
    Customer(
        "tessellate-ai",
        "Tessellate AI",
        "free",
        "tessellate",
        (Person("yuki", "Yuki Tanabe"),),
        "new, has not used anything yet",
        day=1,
        is_new=True,
    ),
    Customer(
        "blue-heron-health",
        "Blue Heron Health",
        "enterprise",
        "blueheron",
        (Person("grace", "Grace Otieno"),),
        "large and busy",
        _use(861, 520, 640, 600),
        day=20,
        pace=7.5,
        never_sleeps=True,
        regulars=324,
    ),
    Customer(
        "harbor-point-media",
        "Harbor Point Media",
        "enterprise",
        "harborpoint",
        (Person("luc", "Luc Moreau"),),
        "large, a little past its bandwidth",
        _use(400, 710, 410, 1068),
        day=19,
        pace=6.5,
    ),
)
