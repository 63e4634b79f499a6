from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from pedbench.models.sam.checkpoints import read_state
from pedbench.models.sam.family import MINI
from pedbench.models.sam.half_precision import converted
from pedbench.models.sam.networks import load_network


def test_a_converted_file_is_made_once_and_holds_the_encoder_in_the_other_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEDBENCH_HOME", str(tmp_path))
    file = MINI.original.file
    assert file is not None
    with ThreadPoolExecutor(4) as threads:
        copies = set(threads.map(lambda _: converted(file, torch.bfloat16), range(4)))
    (path,) = copies
    written = path.stat().st_mtime_ns
    found, expected = read_state(path), read_state(file)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        dtype = torch.bfloat16 if name.startswith("image_encoder.") else torch.float32
        assert value.dtype == dtype
        assert torch.equal(value, expected[name].to(dtype))
    assert converted(file, torch.float16) != path
    load_network.cache_clear()
    sam = load_network(MINI, "original", dtype=torch.bfloat16)
    load_network.cache_clear()
    assert {parameter.dtype for parameter in sam.image_encoder.parameters()} == {torch.bfloat16}
    assert {parameter.dtype for parameter in sam.mask_decoder.parameters()} == {torch.float32}
    assert path.stat().st_mtime_ns == written
