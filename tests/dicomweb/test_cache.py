from dicomweb.cache import ENTRY_BYTES, Cache


def cache_for(entries: int) -> Cache:
    return Cache(entries * (ENTRY_BYTES + 10))


def test_an_answer_is_kept_with_its_version():
    cache = cache_for(4)
    cache.put("a", 1, b"content")
    assert cache.get("a") == (1, b"content")
    assert cache.get("b") is None


def test_a_later_answer_takes_the_place_of_an_earlier_one():
    cache = cache_for(4)
    for version in range(100):
        cache.put("a", version, b"0123456789")
        cache.put(f"b{version % 3}", version, b"0123456789")
    assert cache.get("a") == (99, b"0123456789")
    assert cache.get("b0") == (99, b"0123456789")


def test_the_least_recently_used_answer_goes_first():
    cache = cache_for(4)
    for key in "abcd":
        cache.put(key, 1, b"0123456789")
    cache.get("a")
    cache.put("e", 1, b"0123456789")
    assert [key for key in "abcde" if cache.get(key)] == ["a", "c", "d", "e"]


def test_an_answer_that_takes_more_than_a_quarter_is_not_kept():
    cache = cache_for(4)
    cache.put("a", 1, b"0123456789")
    cache.put("a", 2, b"0123456789+")
    assert cache.get("a") is None


def test_a_cache_without_room_keeps_nothing():
    cache = Cache(0)
    cache.put("a", 1, b"")
    assert cache.get("a") is None
