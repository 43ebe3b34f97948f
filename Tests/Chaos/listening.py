"""Devices that get the direct messages of a user and do nothing else: they ask for nothing on their own."""

from clients import Client
from roaming import Roaming


class Listener(Roaming, Client):
    """A further device of a user. It joins a direct conversation after a message of it that it doesn't know or that
    leaves a gap, and after each reconnect."""

    def __init__(self, user, nodes, rng, record):
        super().__init__(f"{user}'s phone", nodes, [], rng, record)
        self.owner = user
        self.device = "phone"

    @property
    def user(self):
        return self.owner

    async def rejoin(self):
        pass

    async def mark(self):
        """No receipts, as they would be of several devices."""

    def on_message(self, event):
        super().on_message(event)
        if event["room"] not in self.rooms:
            self.rooms.append(event["room"])
            self.join(event["room"])

    on_edited = on_deleted = on_reaction = on_message

    def on_receipt(self, event):
        if event["room"] in self.positions:
            super().on_receipt(event)

    def is_in_all(self):
        return super().is_in_all() and self.session.welcomed is not None
