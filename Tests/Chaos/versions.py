"""The versions of the hub that the nodes of a round run, where there are two: this one, and another one such as the
last release."""

import asyncio
import pathlib
from typing import NamedTuple

LAST_RELEASE = pathlib.Path(__file__).with_name("last-release")
THIS_VERSION = pathlib.Path(__file__).with_name("this-version")

# What hubs of another version may lack, so that the checks leave it out.
DIRECT_NEWS = "direct-news"  # telling other hubs of direct messages, and hearing of theirs
ORDERED_ANSWERS = "ordered-answers"  # an answer that shows a room comes after the room's events before it
REDIS = "redis"  # the settings of the bus
# With a bus between the hubs, each with its check (bus_checks.py):
PROMPT_NEWS = "prompt-news"  # messages are at once on all nodes
ONE_SESSION = "one-session"  # of a device on all nodes
SHARED_PRESENCE = "shared-presence"  # members and their number are those of all nodes
SHARED_RECEIPTS = "shared-receipts"  # receipts are told on all nodes
SHARED_ASIDES = "shared-asides"  # typing and ephemeral messages are told on all nodes
SHARED_REMOVALS = "shared-removals"  # kicks and bans remove on all nodes at once
OF_BUS = {PROMPT_NEWS, ONE_SESSION, SHARED_PRESENCE, SHARED_RECEIPTS, SHARED_ASIDES, SHARED_REMOVALS}
ALL = {DIRECT_NEWS, ORDERED_ANSWERS, REDIS, *OF_BUS}

# The ways of mixing them. Rounds take turns.
UPDATE, BACK, MIXED = "update", "back", "mixed"
WAYS = (UPDATE, BACK, MIXED)


class Version(NamedTuple):
    program: pathlib.Path
    lacks: frozenset = frozenset()

    @property
    def has_direct_news(self):
        return DIRECT_NEWS not in self.lacks

    @property
    def has_redis(self):
        return REDIS not in self.lacks


def lacks_of_last_release():
    return lacks(LAST_RELEASE)


def lacks_of_this_version():
    return lacks(THIS_VERSION)


def lacks(path):
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

    @property
    def promises(self):
        """What all versions promise where there is a bus."""
        versions = [version for version in (self.this, self.other) if version]
        if not all(version.has_redis for version in versions):
            return frozenset()
        return frozenset(OF_BUS.difference(*(version.lacks for version in versions)))

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
