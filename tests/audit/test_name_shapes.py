"""Patterns for names that change: as narrow as what was seen, and never a bare wildcard."""

from __future__ import annotations

import pytest

from audit.name_shapes import changes, proposed_pattern, shape_of
from policies.engine.rules import FileRule, check_rule

TEMP = r"C:\Windows\Temp\acmermm" + "\\"


@pytest.mark.parametrize(
    ("path", "others", "pattern"),
    [
        (TEMP + "8f2c41d7a9.ps1", [], r"regex:c:\\windows\\temp\\acmermm\\[0-9a-f]{10}\.ps1"),
        (TEMP + "8f2c41d7a9.ps1", [TEMP + "0511072231.PS1"], r"regex:c:\\windows\\temp\\acmermm\\[0-9a-f]{10}\.ps1"),
        (TEMP + "job_17.ps1", [], ""),
        (TEMP + "job_0017.ps1", [TEMP + "job_0018.ps1"], r"regex:c:\\windows\\temp\\acmermm\\job_[0-9]{4}\.ps1"),
        (TEMP + "v2_job_117.ps1", [TEMP + "v2_job_9.ps1"], r"regex:c:\\windows\\temp\\acmermm\\v2_job_[0-9]{1,3}\.ps1"),
        (
            TEMP + "{9A3F0C11-0000-4000-8000-0123456789AB}.tmp",
            [],
            r"regex:c:\\windows\\temp\\acmermm\\\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}\.tmp",
        ),
        (TEMP + "setup.exe", [], ""),
        (TEMP + "facade.exe", [], ""),
        ("/opt/rmm/run/7c1d22aa90.sh", [], r"regex:/opt/rmm/run/[0-9a-f]{10}\.sh"),
    ],
)
def test_a_changing_name_becomes_its_pattern(path: str, others: list[str], pattern: str) -> None:
    os = "linux" if path.startswith("/") else "windows"
    assert proposed_pattern(path, others, os) == pattern
    if pattern:
        check_rule(FileRule("r", path=pattern), os)


def test_names_of_another_shape_do_not_widen_the_pattern() -> None:
    found = proposed_pattern(
        TEMP + "8f2c41d7a9.ps1", [TEMP + "8f2c41d7a9abc0.exe", TEMP + "run_8f2c41d7a9.ps1"], "windows"
    )
    assert found.endswith(r"\\[0-9a-f]{10}\.ps1")


def test_the_shape_tells_names_apart() -> None:
    assert shape_of("8f2c41d7a9.ps1") == shape_of("0511072231.ps1")
    assert shape_of("8f2c41d7a9.ps1") != shape_of("8f2c41d7a9.exe")
    assert not changes("chrome.exe")
    assert not changes("script.ps1")
