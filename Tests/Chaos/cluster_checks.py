"""What several hubs on one database promise beyond what one hub promises. Part of the checker: each check is a function
of the record, and finds nothing in the record of a single hub.

Without a bus between the hubs, a hub learns of the others by reading the store.
"""

from bus_checks import has_bus
from direct_checks import direct
from record import is_direct
from versions import ONE_SESSION, SHARED_PRESENCE

# Times in seconds. A hub asks the store four times a second for news; the rest is for a busy machine.
NEWS_SECONDS = 3.0
REPLACED_SECONDS = 2.0
LATE_CLAIM_SECONDS = 5.0
CLOSE_SECONDS = 0.5  # by which a client may learn of closes in another order
WELCOME_SECONDS = 0.2  # the same of welcomes
RETURN_SECONDS = 2.0
# A hub reads the list of hubs every 5 s, and looks for news in it every second.
KNOWN_SECONDS = 6.5
# By how much an answer of the last release may be overtaken by receipts, and overtake them.
OVERTAKEN_SECONDS = 0.5

LOST, GOING, RESTART, RESYNC, REPLACED = 1006, 1001, 1012, 4002, 4500


def quiescence(record):
    """Some time after the last fault, and without any further message, all clients on all nodes have everything."""
    cluster = record.cluster
    for room in cluster.heads:
        if is_direct(room):
            continue
        here = {rest.node for rest in cluster.rests if rest.room == room and rest.position}
        if missing := set(range(1, cluster.nodes + 1)) - here:
            yield "quiescence", f"{room} has nobody on node {', '.join(map(str, sorted(missing)))}, who would show it"
    for rest in cluster.rests:
        head = cluster.heads.get(rest.room)
        if rest.position and rest.position != head:
            yield "quiescence", (
                f"{rest.client} on node {rest.node} stays at {rest.position} in {rest.room}; the store is at {head}"
            )


def users_known(cluster, rests):
    """Each with the users that its client must know: those of its own node, or those of all."""
    there, are_shared = {}, SHARED_PRESENCE in cluster.promises
    rests = [rest for rest in rests if not is_direct(rest.room)]
    for rest in rests:
        there.setdefault((rest.room, not are_shared and rest.node), set()).add(rest.user)
    return [(rest, there[rest.room, not are_shared and rest.node]) for rest in rests]


def presence(record):
    """At rest, a client knows the users of its own node, or of all nodes."""
    for rest, users in users_known(record.cluster, record.cluster.rests):
        name = f"{rest.client} on node {rest.node} knows in {rest.room}"
        if rest.members != users:
            missing, surplus = sorted(users - rest.members), sorted(rest.members - users)
            yield "presence", f"{name} of nothing about {missing}, and of {surplus}, who aren't there"
        elif rest.count != len(users):
            yield "presence", f"{name} of {rest.count} users, and there are {len(users)}"


def sessions(record):
    """A node has one session of a device. A newer one on the same node replaces it, and nothing else does. If there is
    to be one on all nodes, a newer one on another node replaces it, too, while both are on the bus."""
    cluster, same = record.cluster, {}
    is_single = ONE_SESSION in cluster.promises
    for session in cluster.sessions:
        same.setdefault((session.user, session.device), []).append(session)
    for (user, device), on_all in same.items():
        for node in sorted({session.node for session in on_all}):
            name = f"{user}'s device {device} on node {node}"
            on_node = [session for session in on_all if session.node == node]
            yield from replacements(name, in_order(on_node))
            rivals = on_all if is_single else on_node
            for session in on_node:
                # The one that has replaced it was opened before, and still there.
                if session.code == REPLACED and not has_rival(session, rivals, cluster):
                    where = "" if is_single else " on its node"
                    yield "session", f"{name} was replaced, and there is no newer session{where}"
        if is_single:
            yield from replacements(f"{user}'s device {device}", in_order(on_all), cluster)


def in_order(sessions):
    """By the time of their welcome."""
    welcomed = [session for session in sessions if session.welcomed is not None]
    return sorted(
        (session for session in welcomed if not is_older_than_it_seems(session, welcomed)),
        key=lambda session: session.welcomed,
    )


def replacements(name, ordered, cluster=None):
    """Each of these sessions has ended soon after the next one began. With a cluster, only those on different nodes
    count, which were on the bus."""
    for older, newer in zip(ordered, ordered[1:]):
        if cluster and (older.node == newer.node or not has_bus(
            cluster, newer.opened, newer.welcomed + REPLACED_SECONDS, older.node, newer.node
        )):
            continue
        if older.closed is None or older.closed > newer.welcomed + REPLACED_SECONDS:
            yield "session", f"{name} has a session that a newer one has not replaced"
        if older.newest > newer.welcomed:
            yield "session", f"{name} got a message that was sent after a newer session had replaced it"


def has_rival(session, others, cluster):
    """Whether there was another session of the device when this one was closed. The word of one on another node may
    come late, so that it has ended meanwhile."""
    def slack(other):
        is_late = other.node != session.node and not has_bus(
            cluster, session.closed - LATE_CLAIM_SECONDS, session.closed, session.node, other.node
        )
        return LATE_CLAIM_SECONDS if is_late else CLOSE_SECONDS

    return any(
        other is not session and other.opened <= session.closed
        and (other.closed is None or other.closed >= session.closed - slack(other))
        for other in others
    )


def has_lost(close, cluster):
    """Whether a session was closed because of another one of its device, which had begun without the bus."""
    if close.code != RESTART or ONE_SESSION not in cluster.promises or close.session is None:
        return False
    mine = close.session
    others = [other for other in cluster.sessions if (other.user, other.device) == (mine.user, mine.device)]
    return has_rival(mine, [other for other in others if other.node != mine.node], cluster)


def is_older_than_it_seems(session, others):
    """Whether one that was welcomed just before it may have replaced it."""
    return session.code == REPLACED and session.closed < session.welcomed + WELCOME_SECONDS and any(
        session.welcomed - WELCOME_SECONDS < other.welcomed < session.welcomed for other in others
    )


def closes(record):
    """A node's failure closes its own clients, and no others. A node that is behind catches up: it is never as far
    behind in a round that clients had to resync. At rest, nobody is closed."""
    cluster = record.cluster
    for close in cluster.closes:
        name = f"{close.client} on node {close.node} was closed with {close.code}"
        if close.code in (LOST, GOING, RESTART) and not any(
            trouble.node == close.node and trouble.began <= close.time <= trouble.ended + RETURN_SECONDS
            for trouble in cluster.troubles
        ) and not has_lost(close, cluster):
            yield "closed", f"{name}, and nothing had happened to its node"
        elif close.code == RESYNC and cluster.failover is None:
            yield "closed", f"{name}, and its rooms have kept their epoch"
        elif close.time >= cluster.rest:
            yield "closed", f"{name} when nothing happened anymore"


def sanctions(record):
    """A ban or a mute binds on every node: a join is refused from the confirmation on, the rest a little later."""
    cluster = record.cluster
    acts = {}
    for act in cluster.sanctions:
        acts.setdefault((act.room, act.user), []).append(act)
    for attempt in cluster.attempts:
        for act in in_force(acts.get((attempt.room, attempt.user), []), attempt):
            if wrong := disobeyed(act, attempt, cluster.calm):
                yield "sanction", (
                    f"{attempt.user} {wrong} {attempt.room} on node {attempt.node}, "
                    f"{attempt.asked - act.acked:.1f} s after the {act.kind} on node {act.node}"
                )
    # Only the last command: a message may be stored long after it was sent.
    last = {key: done[-1] for key, done in acts.items() if done[-1].acked is not None}
    for rest in cluster.rests:
        act = last.get((rest.room, rest.user))
        if act and act.kind == "ban":
            yield "sanction", f"{rest.user} is in {rest.room} on node {rest.node} at rest, and was banned"
    for (room, user), act in last.items():
        for message in record.histories[room].forward if room in record.histories else ():
            sent = record.sent.get((room, user, message.id))
            if message.user == user and sent and act.kind != "pardon" and binds(act, cluster.calm) <= sent.first:
                yield "sanction", f"{room} has at {message.offset} what {user} sent after the {act.kind}"


def reads_receipts(cluster, told):
    """The time up to which a `joined` must know what other nodes told: its request, if its node knows that there are
    others, or the start of its node."""
    last = max((start.ended for start in cluster.starts if start.ended <= told.asked), default=0)
    if told.asked >= last + KNOWN_SECONDS:
        return told.asked
    return next((start.began for start in cluster.starts if (start.node, start.life) == (told.node, told.life)), 0)


def in_force(acts, attempt):
    """The command that was confirmed before an attempt, if no other was given before the attempt's outcome."""
    for act, following in zip(acts, [*acts[1:], None]):
        if act.acked is not None and act.acked <= attempt.asked and (
            following is None or attempt.answered <= following.asked
        ):
            yield act


def binds(act, calm):
    """The time from which a command binds on all nodes: they learn of it from the store, if they can reach it."""
    return max(act.acked, calm) + NEWS_SECONDS


def disobeyed(act, attempt, calm):
    """What the attempt did, or could not do, against the command."""
    is_known = attempt.node == act.node or attempt.asked >= binds(act, calm)
    if attempt.outcome == "done":
        if act.kind == "ban" and attempt.what == "join":
            return "joined"  # each join asks the store
        if act.kind != "pardon" and attempt.what == "send" and is_known:
            return "sent to"
    elif is_known and (act.kind == "pardon" or (act.kind == "mute" and attempt.what == "join")):
        return f"could not {attempt.what}"
    return None


def of_clusters(check):
    return lambda record: check(record) if record.cluster else ()


CLUSTER_CHECKS = [of_clusters(check) for check in (quiescence, direct, presence, sessions, closes, sanctions)]
