import threading

import pytest

from index import models, schema
from index.database import open_index
from index.models import IndexModel


def tables() -> list[type[IndexModel]]:
    return IndexModel.__subclasses__()


def test_every_model_has_its_table_with_exactly_its_columns(index):
    assert {model._meta.table_name for model in tables()} | {"schema_migration"} == index.tables()
    for model in tables():
        columns = {field.column_name for field in model._meta.sorted_fields}
        assert columns == index.columns(model._meta.table_name), model


def test_upgrading_an_upgraded_database_changes_nothing(index):
    assert schema.upgrade(index) == []
    assert schema.applied(index) == [migration.number for migration in schema.known()]
    schema.require_current(index)


def test_a_fresh_database_has_the_default_partition_with_number_1(index):
    rows = index.fetch_query(models.Partition.select(models.Partition.id, models.Partition.name))
    assert rows == [(1, "Microsoft.Default")]


def test_an_empty_database_is_refused_with_the_command_that_mends_it(tmp_path):
    empty = open_index(f"sqlite://{tmp_path}/empty.sqlite")
    with pytest.raises(schema.SchemaOutdated, match="flask db upgrade"):
        schema.require_current(empty)
    empty.close()


def test_a_database_of_a_newer_version_is_refused(index):
    index.execute("INSERT INTO schema_migration VALUES (9999, 'from_the_future', 0)")
    with pytest.raises(schema.SchemaOutdated, match="9999"):
        schema.require_current(index)


def test_two_processes_that_start_at_once_migrate_once(tmp_path):
    url = f"sqlite://{tmp_path}/index.sqlite"
    results: list[int] = []
    barrier = threading.Barrier(4)

    def start() -> None:
        index = open_index(url)
        barrier.wait()
        results.append(len(schema.upgrade(index)))
        index.close()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 0, 0, len(schema.known())]


@pytest.mark.parametrize(
    "url",
    ["mysql://host/name", "sqlite://relative/path", "postgresql://host", "", "sqlite:///a?x=1"],
)
def test_a_database_url_of_no_known_kind_is_refused(url):
    with pytest.raises(ValueError, match="sqlite"):
        open_index(url)


@pytest.mark.parametrize("option", ["sslmod=require", "sslmode=prefer"])
def test_an_unknown_option_of_a_database_url_is_refused(option):
    with pytest.raises(ValueError, match="sslmode"):
        open_index(f"postgresql://host/name?{option}")
