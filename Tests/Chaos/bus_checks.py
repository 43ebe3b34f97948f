"""What hubs with a bus between them promise beyond what several hubs promise. Part of the checker: each check is a
function of the record, and finds nothing where the hubs don't promise it (`Cluster.promises`).

The hubs promise it while they are on the bus. The campaign causes the outages, so it knows when they may be without it.
"""

from record import Delivered, Joined, is_direct
from versions import ONE_SESSION, PROMPT_NEWS, SHARED_ASIDES, SHARED_PRESENCE, SHARED_REMOVALS

# Times in seconds. The bus takes a millisecond; the rest is for a busy machine.
PROMPT_SECONDS = 1.0
POLLED_SECONDS = 3.0  # without a bus
# From the rest on, which begins some seconds after the last fault. A dead node's users are gone after 10.5 s, and its lease
# ends after 15 s.
SHARED_PRESENCE_SECONDS = 15.0
BACK_SECONDS = 15.0  # after the last fault, until all nodes are on the bus
AGAIN_SECONDS = 8.0  # after any fault or start, until a node is on the bus: longer waits between attempts than at rest
HEALED_SECONDS = 4.0  # after which at most one session is left of those that had begun without a bus


def has_bus(cluster, begin, end, *nodes):
    """Whether these nodes were on the bus for the whole of a time."""
    if cluster.bus is None or end > cluster.bus.off:
        return False
    troubles = [trouble for trouble in cluster.bus.troubles if trouble.node in (0, *nodes)]
    troubles += [trouble for trouble in cluster.troubles if trouble.node in nodes]
    # The first starts are no troubles.
    begins = [start.ended for start in cluster.starts if start.node in nodes and start.began <= end]
    return not any(
        trouble.began <= end and begin < min(trouble.ended + AGAIN_SECONDS, cluster.bus.up) for trouble in troubles
    ) and not any(begin < min(ended + AGAIN_SECONDS, cluster.bus.up) for ended in begins)


def prompt_news(record):
    """At rest, messages are at once on all nodes, and by polling when there is no bus anymore."""
    cluster = record.cluster
    views = {}
    for (client, room), events in record.views.items():
        views.setdefault(room, []).append((client, events))
    here = {(rest.client, rest.room) for rest in cluster.rests}
    for ack in first_acks(record):
        if not max(cluster.rest, cluster.bus.up) <= ack.time < cluster.end:
            continue
        bound = PROMPT_SECONDS if ack.time + PROMPT_SECONDS < cluster.bus.off else POLLED_SECONDS
        for client, events in views.get(ack.room, ()):
            late = arrival(events, ack.offset) - ack.time
            if (client, ack.room) in here and late > bound:
                when = "never" if late == float("inf") else f"{late:.2f} s after its acknowledgement"
                yield "late", f"{client} got {ack.offset} of {ack.room} {when}; the bound is {bound:g} s"


def first_acks(record):
    first = {}
    for ack in record.acks:
        known = first.setdefault((ack.room, ack.epoch, ack.offset), ack)
        if ack.time < known.time:
            first[ack.room, ack.epoch, ack.offset] = ack
    return first.values()


def arrival(events, offset):
    """When a client had everything up to this offset, or this message."""
    times = [
        event.time for event in events
        if (isinstance(event, Delivered) and event.message.offset == offset)
        or (isinstance(event, Joined) and event.offset >= offset)
    ]
    return min(times, default=float("inf"))


def one_session(record):
    """When all nodes are on the bus again, at most one session of a device is left on all of them."""
    cluster = record.cluster
    time = max(cluster.bus.up + HEALED_SECONDS, cluster.rest)
    if time > min(cluster.end, cluster.bus.off):
        return
    there = {}
    for session in cluster.sessions:
        if session.welcomed is not None and session.welcomed <= time - HEALED_SECONDS and (
            session.closed is None or session.closed > time
        ):
            there.setdefault((session.user, session.device), set()).add(session.node)
    for (user, device), nodes in there.items():
        if len(nodes) > 1:
            yield "session", f"{user}'s device {device} has sessions on the nodes {sorted(nodes)} at rest"


def rosters(record):
    """At rest, all nodes answer `who` with the same users, and say that these are all."""
    cluster = record.cluster
    there = {}
    for rest in cluster.rests:
        if not is_direct(rest.room):
            there.setdefault(rest.room, set()).add(rest.user)
    for roster in cluster.bus.rosters:
        users, name = there.get(roster.room, set()), f"{roster.client} on node {roster.node} is told that {roster.room}"
        if roster.is_partial:
            yield "presence", f"{name} may have other users on other nodes"
        if roster.users != users or roster.count != len(users):
            yield "presence", (
                f"{name} has {roster.count} users: nothing about {sorted(users - roster.users)}, "
                f"and of {sorted(roster.users - users)}, who aren't there"
            )
    asked = {(roster.room, roster.node) for roster in cluster.bus.rosters}
    for room in there if cluster.rests and cluster.bus.rosters else ():
        if missing := [node for node in range(1, cluster.nodes + 1) if (room, node) not in asked]:
            yield "presence", f"node {missing[0]} doesn't say who is in {room}"


def asides(record):
    """At rest, typing and ephemeral messages reach all who are in the room, on all nodes."""
    cluster = record.cluster
    for aside in cluster.bus.asides:
        for rest in cluster.rests:
            if rest.room != aside.room or rest.user == aside.user:
                continue
            heard = cluster.bus.heard.get((rest.client, aside.kind, aside.room, aside.user), float("inf"))
            if heard > aside.time + PROMPT_SECONDS:
                when = "never" if heard == float("inf") else f"only {heard - aside.time:.2f} s later"
                yield "aside", (
                    f"{rest.client} on node {rest.node} heard {when} what {aside.user} on node {aside.node} did in "
                    f"{aside.room}: {aside.kind}"
                )


def removals(record):
    """A kick or a ban removes all of a user's devices from the room, on all nodes and at once."""
    cluster = record.cluster
    bans = [act for act in cluster.sanctions if act.kind == "ban" and act.acked is not None]
    for act in [*bans, *cluster.bus.kicks]:
        for stay in cluster.stays:
            if (stay.room, stay.user) != (act.room, act.user) or not stay.since < act.asked:
                continue
            end = act.acked + PROMPT_SECONDS
            if stay.until > end and has_bus(cluster, act.asked, end, stay.node, act.node):
                yield "removal", f"{stay.client} stays in {act.room} {PROMPT_SECONDS:g} s after the {act.kind}"


def where_promised(check, promise):
    return lambda record: (
        check(record) if record.cluster and record.cluster.bus and promise in record.cluster.promises else ()
    )


BUS_CHECKS = [
    where_promised(prompt_news, PROMPT_NEWS),
    where_promised(one_session, ONE_SESSION),
    where_promised(rosters, SHARED_PRESENCE),
    where_promised(asides, SHARED_ASIDES),
    where_promised(removals, SHARED_REMOVALS),
]
