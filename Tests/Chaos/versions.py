"""The versions of the hub that the nodes of a round run, where there are two: this one, and another one such as the
last release."""

import asyncio

# The ways of mixing them. Rounds take turns.
UPDATE, BACK, MIXED = "update", "back", "mixed"
WAYS = (UPDATE, BACK, MIXED)


class Rollout:
    """Which version each node runs at its next start."""

    def __init__(self, this, other=None, way=MIXED):
        self.this = this
        self.other = other
        self.way = way if other else None
        self.replaced = set()  # numbers of the nodes that run what the round ends with
        self.schemas = []  # the newest schema at the start and at the end

    def program(self, node):
        """For the next start of the node."""
        if self.way in (UPDATE, BACK):
            is_other = (self.way == UPDATE) != (node.number in self.replaced)
        else:
            is_other = self.other is not None and node.starts % 2 == 1
        return self.other if is_other else self.this

    async def run(self, nodes, seconds, rng):
        """Replaces one node after the other within about this time."""
        if self.way not in (UPDATE, BACK):
            return
        for node in rng.sample(nodes, len(nodes)):
            await asyncio.sleep(seconds / (len(nodes) + 1))
            async with node.lock:
                await node.drain()
                self.replaced.add(node.number)
                await node.start()

    def __str__(self):
        return f"; {self.way} of two versions, schema {' to '.join(self.schemas)}" if self.way else ""
