"""Rows that several tests search in."""

import pytest

from index.database import Index
from index.store import store_instances
from tests.index.rows import new_instance, series_attributes, study_attributes


@pytest.fixture
def stored(index) -> Index:
    """Two studies with two series each, of two instances each, stored in turns."""
    store_instances(
        index,
        [
            new_instance(
                f"1.{study}",
                f"1.{study}.{series}",
                f"1.{study}.{series}.{number}",
                study=study_attributes(patient_id=f"P{study}", study_date=f"2024010{study}"),
                series=series_attributes(modality="CT" if series == 1 else "MR"),
                sop_class_uid=f"1.2.{number}",
            )
            for number in (1, 2)
            for study in (1, 2)
            for series in (1, 2)
        ],
    )
    return index
