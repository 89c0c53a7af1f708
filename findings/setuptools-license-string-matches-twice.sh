#!/usr/bin/env bash
# Guess: `license = "MIT"` in pyproject.toml, a string with an SPDX expression, is accepted, or an older build tool says
# that it wants a table there. From the "license" section of the Python Packaging User Guide's pyproject.toml
# specification, where the string is the form to use.
#
# What happens: setuptools before 77 (the venvs of Python 3.10 and 3.11 begin with 65.5) refuses the file, and says that
# the value must match exactly one of two definitions and that "2 matches" were found. It is of neither form: each
# definition only says which key a table must have, which any string passes. {text = "MIT"}, a table, is accepted.
#
# For a program whose pyproject.toml is there for its tools' settings: a reader told of two matches looks for a second
# `license` line. Name the setuptools that you need in [build-system] (77 or newer for the string), or leave the key out.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/old"
"$work/old/bin/pip" install -q --disable-pip-version-check setuptools==76.1.0
python3 -m venv "$work/new"
"$work/new/bin/pip" install -q --disable-pip-version-check setuptools==80.9.0

printf '[project]\nname = "example"\nversion = "1"\nlicense = "MIT"\n' >"$work/string.toml"
printf '[project]\nname = "example"\nversion = "1"\nlicense = {text = "MIT"}\n' >"$work/table.toml"
cat >"$work/read.py" <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
from setuptools.config.pyprojecttoml import read_configuration

for name in sys.argv[1:]:
    try:
        license = read_configuration(name)["project"]["license"]
        print(f"setuptools {version('setuptools')}, {name}: accepts {license}")
    except ValueError as error:
        print(f"setuptools {version('setuptools')}, {name}: {error}")
PYTHON

cd "$work"
old/bin/python read.py string.toml table.toml | tee old.txt
new/bin/python read.py string.toml table.toml | tee new.txt
if grep -q '2 matches found' old.txt && grep -q "table.toml: accepts {'text': 'MIT'}" old.txt &&
    grep -q 'string.toml: accepts MIT' new.txt; then
    echo 'AS FOUND: a value that matches neither form is said to match both'
else
    echo 'CHANGED'
    exit 1
fi
