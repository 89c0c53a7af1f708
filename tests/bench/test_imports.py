"""The bench measures from outside: it shares nothing with the tests and the fault rig, and the server nothing with it."""

import ast
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent.parent / "bench"


@pytest.mark.parametrize("path", sorted(path.relative_to(BENCH) for path in BENCH.rglob("*.py")), ids=str)
def test_nothing_of_the_tests_or_the_rig_is_used(path):
    names = set()
    for node in ast.walk(ast.parse((BENCH / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    assert not names & {"tests", "faults"}
