"""Hosted inpainting: what services get, how they refuse, and what is kept from them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pedbench.adversary.hosted import firefly
from pedbench.adversary.hosted.exchange import Clock, Exchange, HostedError
from pedbench.adversary.hosted.firefly import Firefly
from pedbench.adversary.hosted.image_edits import ImageEdits
from pedbench.adversary.hosted.painter import Painter, host_of
from pedbench.adversary.hosted.uploads import make_upload, paste_reply, png
from pedbench.adversary.isolation.environment import environment
from pedbench.base import Hosted
from pedbench.inversion.read_out import fill_with_nearest
from pedbench.types import Patch, Picture, Prior, View
from tests.adversary.hosted_services import COLOUR, KEYS, TOKEN, Services, serving

PLACES = {"firefly": "", "image_edits": "/v1", "form": "/fill"}
PAID = {"firefly": "/v3/images/fill-async", "image_edits": "/v1/images/edits", "form": "/fill"}


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: 1000 + sum(self.slept), sleep=self.slept.append)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Services]:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path / "home"))
    # A proxy that does not exist: what goes over plain http must not ask it.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with serving() as found:
        yield found


@pytest.fixture
def time() -> Time:
    return Time()


def view(frame: Picture) -> View:
    """Return the view of a coalition that received the upper left quarter."""
    height, width = frame.shape[:2]
    patch = Patch(picture=frame[: height // 2, : width // 2], top=0, left=0, server=0)
    prior = Prior(mean_colour=np.full(3, 0.5, np.float32), pictures=())
    return View(frame_size=(height, width), patches=(patch,), prior=prior)


def frame(seed: int = 0, size: tuple[int, int] = (48, 64)) -> Picture:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3))
    return (pixels / 255).astype(np.float32)


def asking(services: Services, provider: str, **changes: Any) -> Hosted:
    model = "dall-e-2" if provider == "image_edits" else ""
    place = services.url + PLACES[provider]
    settings: dict[str, Any] = {"provider": provider, "url": place, "model": model, "side": 128}
    return Hosted(**settings | changes)


def painter(time: Time, **changes: Any) -> Painter:
    settings: dict[str, Any] = {"account": "tests", "most_requests": 20, "clock": time.clock()}
    return Painter(**settings | changes)


@pytest.mark.parametrize("provider", PLACES)
def test_a_service_paints_what_is_hidden_and_the_rest_stays(
    services: Services, time: Time, provider: str
) -> None:
    truth = frame()
    found = painter(time).paint(asking(services, provider, prompt="a desk", samples=2), view(truth))
    assert len(found) == 2 == services.paid()
    for picture in found:
        assert picture.shape == truth.shape
        assert picture.dtype == np.float32
        np.testing.assert_array_equal(picture[:24, :32], truth[:24, :32])
        # Away from the border, which resampling blurs.
        assert np.abs(picture[30:, 40:] - np.array(COLOUR) / 255).max() < 0.02
    image, hidden = services.painted[0]
    square = provider == "image_edits"
    assert hidden.mean() == (1 - 0.25 * 0.75 if square else 0.75)
    assert image.shape[:2] == ((128, 128) if square else (96, 128))
    assert services.fields[0]["prompt"] == "a desk"
    if provider != "image_edits":
        seeds = [form.get("seeds", form.get("seed")) for form in services.fields]
        assert seeds[0] != seeds[1]


@pytest.mark.parametrize("size", [(48, 64), (100, 31), (9, 9)])
@pytest.mark.parametrize("canvas", [(96, 128), (40, 40), (256, 64)])
def test_a_picture_that_comes_back_as_it_went_is_the_filled_frame(
    size: tuple[int, int], canvas: tuple[int, int]
) -> None:
    """Smooth pictures survive resampling both ways, and nothing hidden is given out as visible."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    smooth = np.stack([rows / size[0], columns / size[1], 0 * rows + 0.4], axis=-1).astype(np.float32)
    seen = view(smooth)
    upload = make_upload(seen, canvas)
    assert upload.hidden.shape == canvas == upload.picture.shape[:2]
    back = paste_reply(png(upload.picture), upload, seen)
    assert np.abs(back - fill_with_nearest(seen)).mean() < 0.03
    ends = (np.argwhere(~upload.hidden) + 1) * np.array(size) / upload.inner
    assert (ends.max(axis=0) <= np.array(size) // 2 + 1e-9).all()


@pytest.mark.parametrize("provider", PLACES)
def test_what_is_uploaded_depends_on_the_view_alone(services: Services, time: Time, provider: str) -> None:
    """Two truths that differ where nothing was received: not a byte of any request differs."""
    first, second = frame(0), frame(1)
    second[:24, :32] = first[:24, :32]
    sent: list[Any] = []
    for truth in (first, second):
        services.bodies.clear()
        hosted = asking(services, provider)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PEDBENCH_HOME", f"{os.environ['PEDBENCH_HOME']}-{len(sent)}")
            painter(time).paint(hosted, view(truth))
        sent.append(
            {path: [_without_ids(body) for body in bodies] for path, bodies in services.bodies.items()}
        )
    assert sent[0] == sent[1]
    # OpenAI's endpoint wants some prompt.
    assert bool(services.fields[0].get("prompt")) == (provider == "image_edits")


def _without_ids(body: bytes) -> bytes:
    return body if not body.startswith(b"{") else b"{" + body[body.index(b'"seeds"') : body.index(b'"image"')]


def test_an_answer_is_kept_and_its_request_not_sent_again(services: Services, time: Time) -> None:
    hosted = asking(services, "form", samples=2)
    first = painter(time).paint(hosted, view(frame()))
    second = painter(time).paint(replace(hosted, samples=1), view(frame()))
    np.testing.assert_array_equal(second[0], first[0])
    assert services.paid() == 2
    painter(time).paint(replace(hosted, prompt="other", samples=1), view(frame()))
    painter(time).paint(replace(hosted, samples=1), view(frame(1)))
    assert services.paid() == 4
    home = Path(os.environ["PEDBENCH_HOME"])
    assert (home / "hosted" / "replies").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("limits", "name", "allowed"),
    [
        ({"most_requests": 2}, "most_requests", 2),
        ({"price": 0.1, "most_cost": 0.3}, "most_cost", 3),
        ({"price": 0.1, "most_cost": 0.05}, "most_cost", 0),
    ],
)
def test_a_limit_holds_for_all_runs_of_a_suite(
    services: Services, time: Time, limits: dict[str, Any], name: str, allowed: int
) -> None:
    hosted = asking(services, "form")
    for seed in range(allowed):
        painter(time, **limits).paint(hosted, view(frame(seed)))
    with pytest.raises(HostedError, match=f"{name} in its table uploads allows {allowed}: raise it"):
        painter(time, **limits).paint(hosted, view(frame(allowed)))
    assert services.paid() == allowed
    # Repetitions cost, too.
    services.refusals["/fill"] = [(503, {}, "")] * 9
    with pytest.raises(HostedError, match="allows 2"):
        painter(time, account="other", most_requests=2).paint(hosted, view(frame(9)))
    assert services.paid() == allowed + 2
    # Firefly gets no picture that it may not paint.
    with pytest.raises(HostedError, match="allows 2"):
        painter(time, account="other", most_requests=2).paint(asking(services, "firefly"), view(frame()))
    assert "/v2/storage/image" not in services.paths


@pytest.mark.parametrize("provider", PLACES)
@pytest.mark.parametrize(
    ("code", "cure"),
    [
        (400, "refuses a parameter"),
        (401, "check "),
        (403, "quota is used up"),
        (404, "check the attack's url"),
        (413, "lower the attack's side"),
        (415, "this kind of file"),
        (422, "cannot use a parameter"),
        (451, "its rules refuse the picture"),
        (302, "check the attack's url"),
    ],
)
def test_a_refusal_ends_it_at_once_and_says_what_to_do(
    services: Services, time: Time, provider: str, code: int, cure: str
) -> None:
    secrets = " ".join([*KEYS.values(), TOKEN])
    services.refusals[PAID[provider]] = [(code, {"Location": f"{services.url}/elsewhere"}, secrets)]
    with pytest.raises(HostedError, match=rf"127\.0\.0\.1 answers {code}: .*{cure}") as raised:
        painter(time).paint(asking(services, provider), view(frame()))
    assert services.paid() == 1
    assert time.slept == []
    assert "/elsewhere" not in services.paths
    mine = {"firefly": "FIREFLY", "image_edits": "OPENAI", "form": "PEDBENCH"}[provider]
    secrets_used = [key for name, key in KEYS.items() if name.startswith(mine)] + [TOKEN] * (
        provider == "firefly"
    )
    assert not [key for key in secrets_used if key in str(raised.value)]


@pytest.mark.parametrize("provider", PLACES)
def test_a_busy_service_is_asked_again_later_and_later(services: Services, time: Time, provider: str) -> None:
    services.refusals[PAID[provider]] = [
        (429, {"Retry_After": "17"}, ""),
        (500, {}, ""),
        (408, {}, ""),
        (429, {"Retry_After": "Thu, 01 Jan 1970 00:00:00 GMT"}, ""),
    ]
    found = painter(time, per_minute=6e6).paint(asking(services, provider), view(frame()))
    assert (len(found), services.paid()) == (1, 5)
    first, *others = [slept for slept in time.slept if slept > 0.01]
    assert first == 17
    for number, slept in enumerate(others[:3], 1):
        assert 2**number <= slept <= 2 * 2**number


def test_a_service_that_stays_away_is_given_up(services: Services, time: Time) -> None:
    services.refusals["/fill"] = [(503, {}, "")] * 10
    with pytest.raises(HostedError, match=r"answers 503.* Tried 6 times: run the suite again later"):
        painter(time).paint(asking(services, "form"), view(frame()))
    assert services.paid() == 6
    services.refusals["/fill"] = [(429, {"Retry_After": "3600"}, "")]
    with pytest.raises(HostedError, match="asks to wait 3600 s: run the suite again later"):
        painter(time).paint(asking(services, "form"), view(frame()))
    with pytest.raises(HostedError, match=r"127\.0\.0\.1 does not answer"):
        painter(time).paint(asking(services, "form", url="http://127.0.0.1:9/fill"), view(frame()))


def test_requests_keep_their_distance(services: Services, time: Time) -> None:
    painter(time, per_minute=4).paint(asking(services, "form", samples=3), view(frame()))
    assert time.slept == [15, 15]


@pytest.mark.parametrize(
    ("frame_size", "expected"),
    [
        ((320, 320), (1024, 1024)),
        ((240, 320), (1024, 1536)),
        ((320, 200), (1536, 1024)),
        ((300, 320), (1024, 1024)),
    ],
)
def test_sizes_are_those_that_a_model_takes(frame_size: tuple[int, int], expected: tuple[int, int]) -> None:
    exchange = Exchange(keys={}, spend=lambda: None, per_minute=1)
    assert ImageEdits(hosted=Hosted(provider="image_edits"), exchange=exchange).size(frame_size) == expected
    height, width = Firefly(hosted=Hosted(provider="firefly"), exchange=exchange).size(frame_size)
    assert max(height, width) == 1024
    assert height / width == pytest.approx(frame_size[0] / frame_size[1], rel=0.02)


def test_a_job_is_waited_for_until_it_ends(
    services: Services, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.states = [{"status": "pending"}, {"status": "running"}]
    painter(time).paint(asking(services, "firefly", samples=2), view(frame()))
    assert services.paths.count("/v3/status/urn") == 4
    assert time.slept[:2] == [2, 2]
    # One token for all.
    assert services.paths.count("/ims/token/v3") == 1
    services.states = [{"status": "failed", "error_code": "unsafe", "message": f"no {TOKEN}"}]
    with pytest.raises(HostedError, match=r"the job failed: .*unsafe.*no \[key\]"):
        painter(time).paint(asking(services, "firefly"), view(frame(1)))
    services.states = [{"status": "running"}] * 3
    monkeypatch.setattr(firefly, "MOST_POLLS", 3)
    with pytest.raises(HostedError, match="no picture after 6 s"):
        painter(time).paint(asking(services, "firefly"), view(frame(1)))
    services.status_url = "https://elsewhere.example/status"
    with pytest.raises(HostedError, match="leads to another host"):
        painter(time).paint(asking(services, "firefly"), view(frame(1)))


@pytest.mark.parametrize("provider", PLACES)
def test_an_answer_that_is_no_picture_is_refused_and_not_kept(
    services: Services, time: Time, provider: str
) -> None:
    path = {"firefly": "/result"}.get(provider, PAID[provider])
    services.refusals[path] = [(200, {}, "<html>"), (200, {}, '{"data": [{"b64_json": "AAAA"}]}')]
    for _ in range(2):
        with pytest.raises(HostedError, match="expected"):
            painter(time).paint(asking(services, provider), view(frame()))
    assert len(painter(time).paint(asking(services, provider), view(frame()))) == 1


def test_nothing_is_sent_where_there_is_nothing_to_paint_or_to_go_by(services: Services, time: Time) -> None:
    whole = view(frame())
    patch = Patch(picture=frame(), top=0, left=0, server=0)
    for each in (whole.blind(), replace(whole, patches=(patch,))):
        assert painter(time).paint(asking(services, "form"), each) == ()
    assert services.paths == []


def test_keys_are_asked_for_by_name_and_never_reach_attacks(
    services: Services, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not set(environment("", "")) & set(KEYS)
    for provider in ("firefly", "image_edits"):
        painter(time).paint(asking(services, provider), view(frame()))
    kept = b"".join(
        path.read_bytes() for path in Path(os.environ["PEDBENCH_HOME"]).rglob("*") if path.is_file()
    )
    assert not [key for key in (*KEYS.values(), TOKEN) if key.encode() in kept]
    monkeypatch.setenv("OPENAI_API_KEY", "sk-broken\nkey")
    with pytest.raises(HostedError, match="OPENAI_API_KEY holds characters") as raised:
        painter(time).paint(asking(services, "image_edits"), view(frame(1)))
    assert "broken" not in str(raised.value)
    monkeypatch.setenv("PEDBENCH_OFFLINE", "1")
    with pytest.raises(HostedError, match="PEDBENCH_OFFLINE is set: unset it"):
        painter(time).paint(asking(services, "image_edits"), view(frame(1)))
    monkeypatch.delenv("PEDBENCH_OFFLINE")
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(HostedError, match="set OPENAI_API_KEY in the environment"):
        painter(time).paint(asking(services, "image_edits"), view(frame(1)))


@pytest.mark.parametrize("url", ["http://example.org/fill", "http://10.0.0.1/fill"])
def test_pictures_leave_the_machine_by_https_alone(time: Time, url: str) -> None:
    exchange = Exchange(keys={}, spend=lambda: None, per_minute=1, clock=time.clock())
    with pytest.raises(HostedError, match="leave this machine by https alone"):
        exchange.post(url, b"", {})


@pytest.mark.parametrize(
    ("hosted", "problem"),
    [
        (Hosted(provider="fire_fly"), "no provider 'fire_fly'.*firefly"),
        (Hosted(provider="form"), "expected an address"),
        (Hosted(provider="form", url="ftp://host/"), "https alone"),
        (Hosted(provider="form", url="http://10.0.0.1/fill"), "SSH tunnel"),
        (Hosted(provider="image_edits", url="/v1"), "expected an address"),
        (Hosted(provider="form", url="https://me:secret@host/"), "without a password"),
    ],
)
def test_a_wrong_address_is_refused_before_anything_runs(hosted: Hosted, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        host_of(hosted)


@pytest.mark.parametrize("provider", PLACES)
def test_a_suite_cannot_have_keys_sent_to_a_host_of_its_choice(
    services: Services, time: Time, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setenv("https_proxy", services.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    elsewhere = asking(services, provider, url="https://elsewhere.example/v1")
    with pytest.raises(HostedError, match=r"set PEDBENCH_KEY_HOSTS=elsewhere\.example in the environment"):
        painter(time).paint(elsewhere, view(frame()))
    assert services.paths == []
    monkeypatch.setenv("PEDBENCH_KEY_HOSTS", "other.example,elsewhere.example")
    with pytest.raises(HostedError, match=r"elsewhere\.example does not answer"):
        painter(time).paint(elsewhere, view(frame()))


def test_a_proxy_sees_neither_pictures_nor_keys_however_often_it_is_asked(
    services: Services, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy refuses the tunnel; each repetition must ask for one anew, and send nothing without it."""
    monkeypatch.setenv("https_proxy", services.url)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PEDBENCH_KEY_HOSTS", "service.example")
    hosted = Hosted(provider="image_edits", url="https://service.example/v1", model="dall-e-2", side=64)
    with pytest.raises(HostedError, match=r"service\.example does not answer: .*Tried 6 times"):
        painter(time).paint(hosted, view(frame()))
    assert services.paths == ["service.example:443"] * 6
    assert set(services.methods) == {"CONNECT"}
    assert b"".join(services.bodies["service.example:443"]) == b""
