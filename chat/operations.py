"""The Idempotency-Keys of operations that leave no event. (Those that leave one have theirs in the event log.)

Such an operation sets absolute values, so making it again does no harm. What its key is for is to be refused where it was used for something
else: then a client has mixed two of its operations up.
"""


async def claim(db, actor: str, op: str, digest: int):
    """Note that the actor's key `op` is this operation's, told by its digest; claiming it again changes nothing.

    Raises `Refused`: idempotency_key_reused.
    """
    await db.row("select claim_operation(%s, %s, %s)", actor, op, digest)


async def forget(db, days: int):
    """Housekeeping: drop keys as old as the events are that are pruned."""
    await db.rows("delete from operations where at < now() - make_interval(days => %s) returning 1", days)
