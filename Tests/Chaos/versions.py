"""The versions of the hub that the nodes of a round run, where there are two: this one, and another one such as the
last release."""

import asyncio
import pathlib
from typing import NamedTuple

LAST_RELEASE = pathlib.Path(__file__).with_name("last-release")

# What hubs of another version may lack, so that the checks leave it out.
DIRECT_NEWS = "direct-news"  # telling other hubs of direct messages, and hearing of theirs
ORDERED_ANSWERS = "ordered-answers"  # an answer that shows a room comes after the room's events before it
ALL = {DIRECT_NEWS, ORDERED_ANSWERS}

# The ways of mixing them. Rounds take turns.
UPDATE, BACK, MIXED = "update", "back", "mixed"
WAYS = (UPDATE, BACK, MIXED)


class Version(NamedTuple):
    program: pathlib.Path
    lacks: frozenset = frozenset()

    @property
    def has_direct_news(self):
        return DIRECT_NEWS not in self.lacks


def lacks_of_last_release(path=LAST_RELEASE):
    """Lines are `commit HASH` and `lacks WORD`."""
    lines = [line.split() for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return frozenset(word for key, word in lines if key == "lacks")


class Rollout:
    """Which version each node runs at its next start."""

    def __init__(self, this, other=None, way=MIXED):
        self.this = this
        self.other = other
        self.way = way if other else None
        self.replaced = set()  # numbers of the nodes that run what the round ends with
        self.schemas = []  # the newest schema at the start and at the end

    @property
    def has_direct_news(self):
        """Whether all nodes tell each other of direct messages, at all times."""
        return all(version.has_direct_news for version in (self.this, self.other) if version)

    @property
    def has_ordered_answers(self):
        """Whether all versions send the answers and the events of a room in their order."""
        return all(ORDERED_ANSWERS not in version.lacks for version in (self.this, self.other) if version)

    def version(self, node):
        """The version for a start of the node."""
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
