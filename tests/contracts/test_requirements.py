"""What production installs, requirements.lock, fits requirements.txt, can be checked, and is what the tests run on."""

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent.parent
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
# Releases before these have known advisories.
FLOORS = {"tornado": "6.5.9", "orjson": "3.11.6", "jinja2": "3.1.6"}
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def requirements(text) -> list[Requirement]:
    """The requirements of a file, without comments, hashes and options."""
    lines = re.sub(r"\\\n", " ", text).splitlines()
    lines = [re.split(r"(?:^|\s)(?:#|--hash=)", line, maxsplit=1)[0].strip() for line in lines]
    return [Requirement(line) for line in lines if line and line[0] != "-"]


WANTED = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
LOCKED = requirements(LOCK)


def locked(name, python) -> list[Requirement]:
    """The rows of a package that count for this Python on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
    }
    return [
        row
        for row in LOCKED
        if canonicalize_name(row.name) == canonicalize_name(name)
        and (not row.marker or row.marker.evaluate(environment))
    ]


def version(row) -> str:
    """The one version that a row of the lock names."""
    (specifier,) = row.specifier
    assert specifier.operator == "==", f"{row} names no exact version"
    return specifier.version


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_the_lock_has_one_version_that_fits_for_every_python(wanted, python):
    (row,) = locked(wanted.name, python)
    assert wanted.specifier.contains(version(row))


@pytest.mark.parametrize("name", FLOORS)
def test_no_release_with_a_known_advisory_is_allowed(name):
    (wanted,) = [wanted for wanted in WANTED if wanted.name == name]
    (floor,) = [specifier.version for specifier in wanted.specifier if specifier.operator == ">="]
    assert Version(floor) >= Version(FLOORS[name])


def test_every_locked_package_has_hashes():
    entries = re.split(r"^(?=[a-z])", re.sub(r"^ *#.*\n", "", LOCK, flags=re.MULTILINE), flags=re.MULTILINE)
    entries = [entry for entry in entries if entry.strip()]
    assert len(entries) == len(LOCKED)
    assert [entry.split()[0] for entry in entries if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)] == []


def test_the_lock_names_no_host():
    """It is used with whatever index the machine has."""
    assert "://" not in LOCK
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b", LOCK, re.MULTILINE)


@pytest.mark.parametrize(
    "row", [row for row in LOCKED if not row.marker or row.marker.evaluate()], ids=lambda row: row.name
)
def test_the_tests_run_on_what_production_installs(row):
    assert metadata.version(row.name) == version(row), "make test installs requirements.lock"
