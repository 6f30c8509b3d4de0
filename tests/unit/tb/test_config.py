"""tb/config.py: the settings of a run travel as JSON."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb.config import SIMULATORS, RunConfig

paths = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).map(Path)
configs = st.builds(
    RunConfig,
    program=paths,
    args=st.lists(st.text()).map(tuple),
    peer_program=st.none() | paths,
    sim=st.sampled_from(SIMULATORS),
    sysctls=st.lists(st.tuples(st.text(), st.text())).map(tuple),
    iptables_rules=st.text(),
    setup=st.lists(st.tuples(st.text(), st.text())).map(tuple),
    seed=st.integers(0),
    waves=st.booleans(),
    out=paths,
    cwd=paths,
)


@given(configs)
def test_settings_survive_the_way_through_json(config: RunConfig) -> None:
    assert RunConfig.from_json(config.to_json()) == config


def test_settings_are_one_line_of_json() -> None:
    config = RunConfig(program=Path("/a\nb.py"), out=Path("/out"), cwd=Path("/"))
    assert "\n" not in config.to_json()


def test_settings_cannot_be_changed() -> None:
    config = RunConfig(program=Path("/a.py"), out=Path("/out"), cwd=Path("/"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("text", ["{}", '{"program": "/a.py", "speed": 1}'])
def test_settings_of_another_version_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the settings of a run"):
        RunConfig.from_json(text)
