"""`[project]` in pyproject.toml says what the code says: it has no version and no list of packages of its own."""

import subprocess
import sys
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.contracts.test_requirements import WANTED
from version import VERSION

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The metadata that an installer would be told."""
    into = tmp_path_factory.mktemp("metadata")
    program = f"from setuptools import build_meta; build_meta.prepare_metadata_for_build_wheel({str(into)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, timeout=60)
    (told,) = into.glob("*.dist-info/METADATA")
    return Parser().parsestr(told.read_text(encoding="utf-8"))


def test_its_version_is_the_one_that_the_server_says(project):
    assert project["Version"] == VERSION


def test_it_needs_what_requirements_txt_lists(project):
    assert {str(Requirement(needed)) for needed in project.get_all("Requires-Dist")} == {
        str(wanted) for wanted in WANTED
    }


def test_it_says_its_license_and_ships_the_text(project):
    assert project["License-Expression"] == "MIT"
    assert project.get_all("License-File") == ["LICENSE"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License\n")


def test_ci_runs_the_two_commands_that_a_contributor_is_told():
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [step for step in steps if step.startswith("make ")] == ["make check", "make test"]


def test_the_changelog_begins_with_this_version():
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line[:3] == "## "]
    assert headings[0].split()[1] == VERSION
