"""What a build's own bench knows of its schema and of its envelopes: the modules `people` and `events` of that build.

The rest of the bench sees a server from outside, and HTTP and the stream are the same for builds of different age. Rows of
the tables and envelopes on Redis are written as the build that reads them would have written them.
"""

import importlib
import sys
from functools import cache

from local.builds import HERE, Build

OURS = "bench"


@cache
def modules(build: Build) -> tuple:
    """`(people, events)` of a build; another's are loaded from its folder, beside ours."""
    if build is HERE:
        return importlib.import_module("bench.people"), importlib.import_module("bench.events")
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == OURS}
    sys.path.insert(0, str(build.folder))
    try:
        return importlib.import_module("bench.people"), importlib.import_module("bench.events")
    finally:
        sys.path.remove(str(build.folder))
        for name in [name for name in sys.modules if name.partition(".")[0] == OURS]:
            del sys.modules[name]
        sys.modules.update(kept)
