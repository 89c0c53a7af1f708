"""A process that does what lines of JSON on its standard input ask for, and answers a line for each."""

import asyncio
import contextlib
import gc
import json
import sys
import traceback


async def serve(methods):
    """`{"do": name, …}` calls the coroutine method of that name with the rest; its dict is the answer. Ends with the input."""
    gc.disable()  # thousands of sockets live as long as the process; a full collection would be taken for a slow server
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**26)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        asked = json.loads(line)
        try:
            answer = await getattr(methods, asked.pop("do"))(**asked)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
