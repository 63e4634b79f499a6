"""Hosted inpainting: who gets keys and pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pedbench.adversary.hosted.exchange import Exchange, HostedError
from pedbench.adversary.hosted.painter import host_of
from pedbench.adversary.isolation.environment import environment
from pedbench.base import Hosted
from tests.adversary.hosted_painting import PLACES, Time, asking, frame, painter, view
from tests.adversary.hosted_services import KEYS, TOKEN, Services


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
