"""The load: programs that hold sockets and send requests, each a process of its own that answers lines of JSON."""
