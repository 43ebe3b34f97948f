"""What several hubs promise of direct messages. Part of the checker.

A direct conversation has no members. Its entries reach all devices of both users, on every hub, also devices that have
never joined it. A hub of another version may not tell the others of them, or not hear of them: `Sent.is_told` and
`Session.hears`.
"""

from typing import NamedTuple

from record import Delivered, Joined, direct_users, is_direct

# The time in seconds by which a session has a direct message from another hub, after the last fault.
DIRECT_SECONDS = 3.0


class Due(NamedTuple):
    """An entry that a session must have by a time."""

    session: object
    room: str
    offset: int
    acked: float
    deadline: float


def direct(record):
    """A session that stays connected gets each acknowledged entry of its user's direct conversations, or an answer to
    its join that covers the entry."""
    known = knowledge(record)
    for due in dues(record):
        session = due.session
        found = known.get((session.client, session.connection, due.room), Knowledge()).time(due.offset)
        if found > due.deadline:
            when = "never" if found == float("inf") else f"only {found - due.acked:.1f} s after its acknowledgement"
            yield "direct", f"{session.client} on node {session.node} got {due.offset} of {due.room} {when}"


def dues(record):
    cluster = record.cluster
    failover = cluster.failover.time if cluster.failover else float("-inf")
    sessions, acks = {}, {}
    for session in cluster.sessions:
        if session.welcomed is not None:
            sessions.setdefault(session.user, []).append(session)
    for ack in record.acks:
        if is_direct(ack.room) and ack.time > failover:  # what was acknowledged before may have been lost
            acks.setdefault((ack.room, ack.user, ack.id, ack.offset), []).append(ack)
    for (room, user, id, offset), same in acks.items():
        sent = record.sent.get((room, user, id))
        for session in (session for either in set(direct_users(room)) for session in sessions.get(either, ())):
            if sent is None or sent.first < session.welcomed:
                continue
            is_heard = sent.is_told and session.hears
            times = [ack.time for ack in same if is_heard or ack.node == session.node]
            if not times:
                continue
            deadline = max(min(times), cluster.calm) + DIRECT_SECONDS
            if deadline <= (cluster.end if session.closed is None else session.closed):
                yield Due(session, room, offset, min(times), deadline)


class Knowledge:
    """What a connection has been given of a conversation."""

    def __init__(self):
        self.live = {}  # offset: time
        self.joins = []  # (offset, time)

    def time(self, offset):
        joins = [time for head, time in self.joins if head >= offset]
        return min([self.live.get(offset, float("inf")), *joins])


def knowledge(record):
    """By client, connection and room."""
    known = {}
    for (client, room), events in record.views.items():
        for event in events if is_direct(room) else ():
            knows = known.setdefault((client, event.connection, room), Knowledge())
            if isinstance(event, Joined):
                knows.joins.append((event.offset, event.time))
            elif isinstance(event, Delivered):
                knows.live.setdefault(event.message.offset, event.time)
    return known
