"""Ending what runs in the background."""

import asyncio


async def ended(*tasks: asyncio.Task):
    """Cancel these tasks and wait until they have ended; what they raise is theirs to log.

    Before Python 3.12, `asyncio.wait_for` can lose a cancellation that comes together with its answer, so that a loop goes on:
    it is cancelled again until it has ended.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)
