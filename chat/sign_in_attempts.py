"""The limit on guessing: failed sign-ins and new accounts within a time, of each account and address, over all instances."""

from dataclasses import dataclass

from errors import Refused


@dataclass(frozen=True)
class AttemptLimits:
    """Failed sign-ins within `window` seconds. The settings SIGN_IN_ATTEMPTS_PER_ACCOUNT, …_PER_ADDRESS and SIGN_IN_WINDOW_SECONDS."""

    per_account: int
    per_address: int
    window: int


class SignInAttempts:
    """Attempts, counted in one database. An attempt is taken before the work that it costs, and given back where it was no guess."""

    def __init__(self, db, limits: AttemptLimits):
        self._db = db
        self._limits = limits

    async def take(self, address: str, account: str | None = None) -> list[str]:
        """Count an attempt of this address, on this account where there is one. Answers what `give_back` takes.

        Raises `Refused`: too_many_attempts, with the seconds to wait.
        """
        keys, limits = [f"address:{address}"], [self._limits.per_address]
        if account is not None:
            keys, limits = [account, *keys], [self._limits.per_account, *limits]
        sql = "select take_sign_in_attempt(%s, %s, %s) as wait"
        if wait := (await self._db.row(sql, keys, limits, self._limits.window)).wait:
            raise Refused("too_many_attempts", retry_after=wait)
        return keys

    async def give_back(self, keys: list[str]):
        """The attempt was no guess."""
        await self._db.row("select return_sign_in_attempt(%s)", keys)

    async def forget_old(self):
        """Housekeeping: drop what is outside every window."""
        await self._db.rows(
            "delete from sign_in_attempts where window_start < now() - make_interval(secs => %s) returning 1",
            2 * self._limits.window,
        )
