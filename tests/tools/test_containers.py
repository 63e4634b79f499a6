"""The containers' files: what they copy is there, and nothing runs as root, writes to its root or keeps payloads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tools" / "containers"
PACKED = {"pyproject.toml", "README.md", "LICENSE", "attacks", "datasets", "defenses", "pedbench"}
"""Files that pip builds the small wheel from."""


@pytest.mark.parametrize("name", ["Containerfile", "Containerfile.jetson"])
def test_images_hold_the_wheel_and_drop_root(name: str) -> None:
    text = (FOLDER / name).read_text().replace("\\\n", " ")
    instructions = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    copied = {source for kind, rest in instructions if kind == "COPY" for source in rest.split()[:-1]}
    assert copied == PACKED
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == PACKED
    assert [rest for kind, rest in instructions if kind == "USER"] == ["10001"]
    assert re.search(r"^ARG BASE=[\w./-]+:[\w.-]+$", text, re.MULTILINE)
    assert "pip install --no-cache-dir /src -c /tmp/torch.txt" in text


def test_servers_are_apart_from_each_other_and_the_edge_waits_for_all() -> None:
    services: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    edge = services.pop("edge")
    networks = [service["networks"] for service in services.values()]
    assert edge["networks"] == [name for (name,) in networks]
    assert len(set(edge["networks"])) == len(services) == 3
    assert edge["depends_on"] == {name: {"condition": "service_healthy"} for name in services}
    servers = edge["command"][edge["command"].index("--servers") + 1]
    assert servers == ",".join(f"{name}:50051" for name in services)
    for name, service in {**services, "edge": edge}.items():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert f"./keys/{name}:/keys:ro" in service["volumes"]
    text = (FOLDER / "Containerfile").read_text()
    assert '"--keys", "/keys", "--no-wiretap-payloads"' in text
    assert "HEALTHCHECK" in text
