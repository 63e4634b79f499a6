"""Power rails in lines of `tegrastats`, and the energy of a pass."""

from __future__ import annotations

import pytest

from pedbench.measure.power import energy, parse_tegrastats

ORIN_NANO = (
    "01-08-2025 10:12:04 RAM 2448/7620MB (lfb 4x4MB) SWAP 0/3810MB (cached 0MB) "
    "CPU [2%@729,0%@729,off,off,1%@729,0%@729] EMC_FREQ 0%@2133 GR3D_FREQ 14%@[305] NVDEC off VIC off "
    "CPU@44.5C SOC2@43.2C tj@45.1C GPU@44.1C VDD_IN 4123mW/4098mW VDD_CPU_GPU_CV 571mW/560mW VDD_SOC 1142mW/1139mW"
)
NANO = (
    "RAM 903/3964MB (lfb 541x4MB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [5%@102,2%@102] "
    "EMC_FREQ 4%@204 GR3D_FREQ 0%@76 APE 25 PLL@29C CPU@31.5C PMIC@100C GPU@31C AO@38.5C thermal@31.25C "
    "POM_5V_IN 2532/2519 POM_5V_GPU 40/40 POM_5V_CPU 281/275"
)
AGX_XAVIER = (
    "RAM 3188/31920MB (lfb 6x4MB) CPU [3%@1190] "
    "GPU 0/0 CPU 311/311 SOC 933/933 CV 0/0 VDDRQ 155/155 SYS5V 1643/1643"
)


@pytest.mark.parametrize(
    ("line", "rails"),
    [
        (ORIN_NANO, {"VDD_IN": 4123, "VDD_CPU_GPU_CV": 571, "VDD_SOC": 1142}),
        (NANO, {"POM_5V_IN": 2532, "POM_5V_GPU": 40, "POM_5V_CPU": 281}),
        (AGX_XAVIER, {"GPU": 0, "CPU": 311, "SOC": 933, "CV": 0, "VDDRQ": 155, "SYS5V": 1643}),
        ("RAM 2448/7620MB CPU [off]", {}),
    ],
)
def test_rails(line: str, rails: dict[str, int]) -> None:
    assert parse_tegrastats(line) == rails


def test_energy_is_mean_power_times_time() -> None:
    readings = [
        (0.0, {"VDD_IN": 1000}),
        (1.0, {"VDD_IN": 5000}),
        (2.0, {"VDD_IN": 7000}),
        (9.0, {"VDD_IN": 1}),
    ]
    assert energy(readings, 0.5, 2.5) == {"VDD_IN": pytest.approx(12.0)}
    # Nothing was read in between: the nearest reading stands for it.
    assert energy(readings, 1.1, 1.2) == {"VDD_IN": pytest.approx(0.5)}
    assert energy([], 0, 1) == {}
