"""Every setting stands in docs/settings.md as it is declared, and nothing else does."""

import re
from pathlib import Path

import pytest

import settings

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>[^|]*) \| (?P<help>.*) \|$", re.MULTILINE)
DOCUMENTED = {row["name"]: row for row in ROW.finditer((ROOT / "docs" / "settings.md").read_text(encoding="utf-8"))}


def shown(default) -> str:
    return (
        {"": "", True: "`true`", False: "`false`"}.get(default, f"`{default}`")
        if isinstance(default, (str, bool))
        else f"`{default}`"
    )


@pytest.mark.parametrize("setting", settings.SETTINGS, ids=lambda setting: setting.name)
def test_a_setting_is_documented_as_it_is_declared(setting):
    assert setting.name in DOCUMENTED, f"{setting.name} has no row in docs/settings.md"
    assert DOCUMENTED[setting.name]["default"] == shown(setting.default)
    assert DOCUMENTED[setting.name]["help"] == setting.help


def test_nothing_is_documented_that_does_not_exist():
    assert DOCUMENTED.keys() == {setting.name for setting in settings.SETTINGS}


@pytest.mark.parametrize("setting", settings.SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_used(setting):
    """A setting that is read nowhere promises something that nobody keeps."""
    name = re.compile(rf"\b{setting.name.lower()}\b|\b{setting.name}\b")
    places = [
        path
        for folder in ("store", "chat", "realtime", "workers", "web", "handlers")
        for path in (ROOT / folder).rglob("*.py")
    ] + [ROOT / "server.py"]
    assert any(name.search(path.read_text(encoding="utf-8")) for path in places)


def test_without_an_environment_everything_has_its_default():
    loaded = settings.load({})
    assert {setting.name.lower(): setting.default for setting in settings.SETTINGS} == vars(loaded)


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("PORT", "8080", 8080),
        ("HEAD_CHECK_SECONDS", "0.25", 0.25),
        ("TRUST_PROXY", "off", False),
        ("TRUST_PROXY", "YES", True),
        ("HOST", "::1", "::1"),
        ("PORT", "", 8000),
    ],
)
def test_the_environment_overrides_a_default(name, text, value):
    assert getattr(settings.load({name: text}), name.lower()) == value


@pytest.mark.parametrize(
    "name, text",
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "-1"),
        ("PORT", "80.5"),
        ("HEAD_CHECK_SECONDS", "nan"),
        ("HEAD_CHECK_SECONDS", "inf"),
        ("TRUST_PROXY", "maybe"),
    ],
)
def test_a_value_that_is_not_of_its_kind_is_refused_by_name(name, text):
    with pytest.raises(settings.SettingError, match=name):
        settings.load({name: text})
