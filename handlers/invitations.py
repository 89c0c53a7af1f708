"""Invitations to sign up: the server's owner makes, sees and withdraws them."""

from chat import invitations
from web.api_handler import ApiHandler
from web.openapi.operation import Access, operation


class InvitationHandler(ApiHandler):
    noun = "Invitations"

    def with_link(self, invitation: dict) -> dict:
        """With the address of its page on this server, as the one who asks knows the server."""
        return {**invitation, "link": f"{self.protocol}://{self.request.host}/join/{invitation['token']}"}


class Invitations(InvitationHandler):
    @operation(
        "listInvitations",
        "The invitations",
        query=("after", "limit"),
        answers={200: "InvitationList"},
        access=Access.OWNER,
    )
    async def get(self):
        """Those that were not withdrawn, the newest first. What has expired or been used up stays for a month."""
        page = await invitations.listed(self.db, after=self.query.get("after"), limit=self.query["limit"])
        self.answer_json({**page, "items": [self.with_link(one) for one in page["items"]]})

    @operation(
        "createInvitation",
        "Invite people",
        body="NewInvitation",
        answers={201: "Invitation"},
        access=Access.OWNER,
        mutation=True,
        errors=("idempotency_key_reused",),
    )
    async def post(self):
        """Its link is for whoever gets it, as long and as often as it is valid."""
        # To JSON, 7.0 is a whole number.
        days, uses = (
            int(self.body.get("days", self.limits.invitation_days)),
            int(self.body.get("uses", self.limits.invitation_uses)),
        )
        self.answer_json(self.with_link(await invitations.create(self.db, self.user_id, self.op, days, uses)), 201)


class Invitation(InvitationHandler):
    @operation("revokeInvitation", "Withdraw an invitation", answers={204: None}, access=Access.OWNER, mutation=True)
    async def delete(self, invitation_id):
        """Nobody signs up with it any more. Accounts that were made with it stay."""
        await invitations.revoke(self.db, invitation_id)
        self.nothing()
