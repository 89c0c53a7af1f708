"""Breaking things on purpose. Where the setting `DEMO` is off, there is nothing here: 404."""

from errors import Refused
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class Break(ApiHandler):
    noun = "Demonstration"

    async def _admit(self, declared, changes):
        await super()._admit(declared, changes)
        if not self.services.settings.demo:
            raise Refused("not_found")

    @operation(
        "breakSomething",
        "Break something on purpose",
        body="Break",
        answers={204: None},
        mutation=True,
        errors=("not_found",),
    )
    async def post(self):
        """Only where `DEMO` is on, as in `make run`; 404 elsewhere.

        `dropSockets` closes the streams of whoever asks; `pauseRedis` lets Redis answer nobody for 5 seconds; `disorder` lets every
        instance lose, double and reorder what it publishes for 10 seconds; `kill` ends an instance as `kill -9` does.
        """
        demo, what = self.services.node.demo, self.body["what"]
        if what == "dropSockets":
            demo.drop_sockets(self.user_id)
        elif what == "pauseRedis":
            await demo.pause_redis()
        elif what == "disorder":
            demo.disorder()
        else:
            if "instance" not in self.body:
                raise Refused("invalid_value", "Say which instance.", "instance")
            demo.kill(self.body["instance"])
        self.nothing()
