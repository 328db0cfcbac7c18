"""What a group commit does when one of its requests is a mistake of ours."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from index import committer as committing
from index.batch import NewInstance, Outcome
from index.committer import Committer
from index.database import Index
from tests.index.rows import new_instance


def test_an_unforeseen_error_of_one_request_reaches_that_request_alone(index, monkeypatch):
    good, bad = new_instance("1.2", "1.2.3", "1.2.3.4"), new_instance("1.2", "1.2.3", "1.2.3.5")

    def failing(index: Index, instances: list[NewInstance]) -> list[Outcome]:
        if bad in instances:
            raise ZeroDivisionError
        return store_instances(index, instances)

    store_instances = committing.store_instances
    monkeypatch.setattr(committing, "store_instances", failing)
    committer = Committer(index)

    def commit(new: NewInstance) -> list[Outcome]:
        try:
            return committer.store([new])
        finally:
            index.close()

    with ThreadPoolExecutor(2) as pool:
        with committer._turn:
            spoilt, stored = pool.submit(commit, bad), pool.submit(commit, good)
            while len(committer._waiting) < 2:
                time.sleep(0)
        assert stored.result(60) == [Outcome.STORED]
        with pytest.raises(ZeroDivisionError):
            spoilt.result(60)
