"""What `make run` prints: every line with the name of its process, aligned and coloured, whole even when many talk."""

import sys
import threading
from datetime import datetime

from honcho.colour import get_colours
from honcho.printer import Message, Printer


class Output:
    """Lines to standard output. `closed` is true once nobody reads them any more."""

    def __init__(self, names):
        self._printer = Printer(sys.stdout, width=max(map(len, names)))
        self._colours = dict(zip(names, get_colours(), strict=False))
        self._lock = threading.Lock()
        self.closed = False

    def line(self, name, text):
        """Print one line of that process."""
        message = Message("line", text, datetime.now(), name, self._colours.get(name))
        with self._lock:
            try:
                self._printer.write(message)
            except OSError:
                self.closed = True
