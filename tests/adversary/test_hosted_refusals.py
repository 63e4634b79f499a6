"""Hosted inpainting: limits of a suite, refusals of services, and how often these are asked again."""

from __future__ import annotations

from typing import Any

import pytest

from pedbench.adversary.hosted import firefly
from pedbench.adversary.hosted.exchange import HostedError
from tests.adversary.hosted_painting import PAID, PLACES, Time, asking, frame, painter, view
from tests.adversary.hosted_services import KEYS, TOKEN, Services


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
