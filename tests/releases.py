"""Earlier releases, out of the history of this repository, for the tests in which they live beside this one."""

import os
import subprocess
from pathlib import Path

import pytest

from local import builds
from local.builds import Build
from local.processes import ROOT, Trouble

RELEASE_BEFORE = "24ff65e43bcd69f6c57bb840bf819d5728fe1b10"


def build_of(commit: str, folder: Path = builds.BUILDS) -> Build:
    """That commit's server, ready to run, in a folder that others use too; in one of its own it may be changed.

    A clone without its history fetches that one commit. Where it is not to be had the test is skipped; in CI it has to be had.
    """
    try:
        builds.commit_of(commit)
    except Trouble:
        fetch = ["git", "-C", str(ROOT), "fetch", "--quiet", "--depth=1", "origin", commit]
        subprocess.run(fetch, capture_output=True, timeout=60)
    try:
        return builds.set_up(commit, builds=folder)
    except Trouble as trouble:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            f"the release {commit[:7]} cannot be run here: {trouble}"
        )
