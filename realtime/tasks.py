"""Ending background tasks."""

import asyncio


async def ended(*tasks: asyncio.Future):
    """Cancel these tasks and wait until they have ended; errors are for the tasks themselves to log.

    Before Python 3.12, `asyncio.wait_for` can lose a cancellation that coincides with its answer, so that the task goes on. So each task
    is cancelled again until it has ended.
    """
    while pending := [task for task in tasks if not task.done()]:
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=0.1)
