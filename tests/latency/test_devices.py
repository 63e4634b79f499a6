import pytest

from pedbench.latency.devices import calibrate, device_names, find_device, most_slower, published_times
from pedbench.models.sam.architectures import ARCHITECTURES, VIT_B, VIT_H


@pytest.mark.parametrize("name", device_names())
def test_a_device_takes_what_was_published(name: str) -> None:
    device, times = find_device(name), published_times(name)
    taken = [device.encoder(ARCHITECTURES[of]) * 1000 for of in times]
    rest = [time - mine for time, mine in zip(times.values(), taken, strict=True)]
    assert rest[0] == pytest.approx(rest[-1])
    assert rest[0] >= -1e-6
    assert all(time > 0 for time in taken)


def test_one_time_stays_whatever_the_global_blocks_take() -> None:
    alike, slower = (find_device("jetson-orin-nano", ratio) for ratio in (1, 3))
    assert alike.encoder(VIT_H) == pytest.approx(17.7)
    assert slower.encoder(VIT_H) == pytest.approx(17.7)
    # Four global blocks and the neck are 16.8 % of the multiply-adds: 3.0 s; three times as slow, 37.7 %.
    assert alike.global_stage(VIT_H) == pytest.approx(17.7 * 0.168, rel=0.002)
    assert slower.global_stage(VIT_H) == pytest.approx(17.7 * 0.504 / 1.336, rel=0.002)


def test_at_the_largest_ratio_nothing_but_the_encoder_took_time() -> None:
    times = published_times("rtx-3090")
    device = find_device("rtx-3090", most_slower(times))
    assert device.encoder(VIT_H) * 1000 == pytest.approx(times["vit_h"])
    assert device.encoder(VIT_B) * 1000 == pytest.approx(times["vit_b"])
    with pytest.raises(ValueError, match="allow no global blocks"):
        find_device("rtx-3090", 1.01 * most_slower(times))


def test_what_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="did you mean 'rtx-3090'"):
        find_device("rtx-309")
    with pytest.raises(ValueError, match="one or two times"):
        calibrate("d", "", {})
    with pytest.raises(ValueError, match="expected two times"):
        most_slower({"vit_h": 1.0})
