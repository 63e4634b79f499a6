import pytest

from pedbench.network.links import LOOPBACK, Direction, find_link, links


def test_profiles_are_complete_and_loopback_alone_is_not_emulated() -> None:
    assert list(links()) == [LOOPBACK, "network", "gigabit", "wifi-6", "wifi-5", "lte", "5g"]
    assert [name for name, link in links().items() if not link.emulated] == [LOOPBACK, "network"]
    assert all(min(link.up.rate, link.down.rate) > 0 for link in links().values() if link.emulated)
    assert links()[LOOPBACK].up == links()[LOOPBACK].down == Direction(rate=0, delay=0)


def test_unknown_links_are_refused_with_a_suggestion() -> None:
    with pytest.raises(ValueError, match=r"no link 'wifi5'.*wifi-5"):
        find_link("wifi5")


@pytest.mark.parametrize("wrong", [{"delay": -1}, {"loss": 1}, {"delay": 1, "jitter": 2}])
def test_impossible_directions_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"expected|must not"):
        Direction(**{"rate": 1.0, "delay": 0.0, **wrong})
