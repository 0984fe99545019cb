from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from bot.domain.customers import CustomerId
from bot.domain.errors import DirectoryUnavailableError, SettingsError
from bot.store.customer_mapping import FIELDS, load_mapping, parse_mapping
from bot.store.customers.directory import SqlCustomerDirectory
from bot.store.sample_shop import schema
from tests.databases import run_in

GUIDE = Path(__file__).parents[2] / "docs" / "connect-your-database.md"


def test_the_default_mapping_has_tandems_own_names() -> None:
    """Without a file every kind is a table of its name and every field a column of its name."""
    mapping = load_mapping(None)
    assert set(mapping.tables) == set(FIELDS)
    for kind, table in mapping.tables.items():
        assert table.table == kind
        assert all(ours == theirs for ours, theirs in table.columns.items())


def test_the_settings_of_a_mapping_are_read() -> None:
    """Time zone, money, time limit and order numbers are as the file says."""
    mapping = parse_mapping(
        """
        [brand]
        time_zone = "Europe/Berlin"
        currency = "JPY"
        money = "decimal"
        minor_digits = 0
        timeout_ms = 500
        [order_numbers]
        prefix = "#"
        pattern = "[0-9]{4,6}"
        """,
        "x.toml",
    )
    assert mapping.time_zone == ZoneInfo("Europe/Berlin")
    assert (mapping.currency, mapping.is_money_decimal, mapping.minor_digits) == ("JPY", True, 0)
    assert mapping.times_out_after == timedelta(milliseconds=500)
    assert mapping.order_numbers.read("1001") == "#1001"
    assert mapping.stored_prefix == "#"


MISTAKES = """
orders_items = 3
[brand]
time_zone = "Moon/Crater"
money = "gold"
timeout_ms = -1
colour = "red"
[order_numbers]
pattern = "([0-9])"
[customers]
table = false
phone = false
name = 3
e_mail = "mail"
[orders]
postcode = false
status_words = { sent = "gone" }
[opening_hours]
weekday_words = "none"
"""


def test_every_mistake_of_a_mapping_is_named_at_once() -> None:
    """One error lists all that is wrong, each by the name it has in the file."""
    with pytest.raises(SettingsError) as caught:
        parse_mapping(MISTAKES, "brand.toml")
    message = str(caught.value)
    assert message.startswith("brand.toml is not a mapping of a customer database:")
    for name in (
        "[orders_items] is no kind of record",
        "brand.time_zone 'Moon/Crater'",
        "brand.money must be",
        "brand.timeout_ms must be",
        "brand.colour is unknown",
        "order_numbers.pattern must not have groups",
        "customers.table must not be false",
        "orders.postcode must not be false",
        "orders.status_words: 'sent' must be one of placed, packed",
        "opening_hours.weekday_words must be a section",
    ):
        assert name in message


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("[brand", "is not TOML"),
        ("[order_numbers]\npattern = '['", "no regular expression"),
        ("[customers]\nname = 3\ne_mail = 'mail'", "customers.name must be text in quotes"),
        ("orders = 3", "orders must be a section"),
    ],
)
def test_a_malformed_mapping_is_refused(toml: str, complaint: str) -> None:
    """What is not TOML, or not of the kind a setting asks for, is refused with the reason."""
    with pytest.raises(SettingsError, match=complaint):
        parse_mapping(toml, "brand.toml")


def test_a_mapping_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A missing or undecodable file is an error that names the file."""
    with pytest.raises(SettingsError, match=r"none\.toml"):
        load_mapping(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(SettingsError, match=r"latin\.toml"):
        load_mapping(tmp_path / "latin.toml")


async def test_all_that_the_database_lacks_is_named_at_once(database_url: str) -> None:
    """One error lists every missing table and column, what may have been meant, and what to do."""

    def make(connection: Connection) -> None:
        schema.records.create_all(connection)
        connection.execute(text("ALTER TABLE customers RENAME COLUMN postcode TO postal_code"))
        connection.execute(text("ALTER TABLE orders RENAME COLUMN total TO amount"))
        connection.execute(text("DROP TABLE opening_hours"))

    run_in(database_url, make)
    directory = SqlCustomerDirectory(database_url, parse_mapping("[products]\ntable = 'product'", "brand.toml"))
    with pytest.raises(SettingsError) as caught:
        await directory.check()
    message = str(caught.value)
    for complaint in (
        "the customer database does not fit brand.toml:",
        "[customers] 'customers' has no column 'postcode' for 'postcode'; did you mean 'postal_code'?",
        "[orders] 'orders' has no column 'total' for 'total'",
        "[products] there is no table or view 'product'; did you mean 'products'?",
        "[opening_hours] there is no table or view 'opening_hours'",
        "docs/connect-your-database.md",
    ):
        assert complaint in message
    with pytest.raises(DirectoryUnavailableError, match="does not fit"):
        await directory.orders(CustomerId("C1"), 1)
    await directory.close()


@pytest.mark.postgres
async def test_a_table_may_be_in_a_schema_of_its_own(postgres_url: str) -> None:
    """`crm.Our People` is the table of that name, capitals and blank included, in the schema crm."""

    def move(connection: Connection) -> None:
        schema.records.create_all(connection)
        connection.execute(text("CREATE SCHEMA crm"))
        connection.execute(text("ALTER TABLE customers SET SCHEMA crm"))
        connection.execute(text('ALTER TABLE crm.customers RENAME TO "Our People"'))

    run_in(postgres_url, move)
    directory = SqlCustomerDirectory(postgres_url, parse_mapping("[customers]\ntable = 'crm.Our People'", "brand.toml"))
    await directory.check()
    assert await directory.record(CustomerId("C1")) is None
    await directory.close()


def test_the_mapping_of_the_guide_is_complete() -> None:
    """The full example that operators copy has no mistake and a line for every field of every kind."""
    example = GUIDE.read_text(encoding="utf-8").partition("```toml\n# the full example")[2].partition("```")[0]
    assert set(parse_mapping(example, "the guide").tables) == set(FIELDS)
    for kind, fields in FIELDS.items():
        lines = {line for line in tomllib.loads(example)[kind] if not line.endswith("_words")}
        assert lines == {"table"} | {field.rstrip("?") for field in fields}
