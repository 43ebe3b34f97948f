"""Divides the record of a failover to a replica that was behind. Part of the checker.

The replica lacks the last part of what the primary had stored, its tail. A room that may have lost something gets
another epoch. So what clients saw in its old epoch is checked here: it is one order, and up to the replica's position
it is what is stored. The rest of the record is checked as any other.
"""

from dataclasses import replace

from record import Delivered, Joined, Loaded


def without_tail(record):
    """The violations in the old epochs, and the record without them."""
    found = list(old_epochs(record))
    return found, replace(
        record,
        acks=[ack for ack in map(lambda ack: surviving(record, ack), record.acks) if ack],
        views={key: new for key, events in record.views.items() if (new := current(record, key[1], events))},
        receipts=[told for told in record.receipts if is_current(record, told.room, told.epoch)
                  and is_renewed(record, told.room) and told.asked > record.cluster.failover.time],
        cluster=replace(record.cluster, sanctions=[known(record, act) for act in record.cluster.sanctions]),
    )


def is_current(record, room, epoch):
    return room in record.histories and epoch == record.histories[room].epoch


def is_renewed(record, room):
    """Whether the room has another epoch since the failover."""
    head = record.cluster.failover.heads.get(room)
    return room in record.histories and head is not None and head[0] != record.histories[room].epoch


def surviving(record, ack):
    """An acknowledgement that holds after the failover: of the room's epoch, or of before replication was cut."""
    if is_current(record, ack.room, ack.epoch):
        return ack
    is_old = is_renewed(record, ack.room) and ack.epoch == record.cluster.failover.heads[ack.room][0]
    if is_old and ack.time > record.cluster.failover.sure:
        return None
    return ack._replace(epoch=record.histories[ack.room].epoch) if is_old else ack


def known(record, act):
    """A command about a user that may be lost counts as unconfirmed."""
    failover = record.cluster.failover
    is_lost = act.acked is not None and act.acked > failover.sure and act.asked <= failover.time
    return act._replace(acked=None) if is_lost else act


def by_epoch(events):
    """Each event with its epoch: its own, or that of its connection's last joining."""
    connection, epoch = None, None
    for event in events:
        if isinstance(event, Joined):
            connection, epoch = event.connection, event.epoch
        if isinstance(event, (Joined, Loaded)):
            yield event.epoch, event
        else:
            yield event.epoch or (epoch if event.connection == connection else None), event


def current(record, room, events):
    """The events of the room's epoch, without a page that was requested before the client came to it."""
    if not is_renewed(record, room):
        return events
    found, came = [], None
    for epoch, event in by_epoch(events):
        if isinstance(event, Joined):
            came = epoch
        if is_current(record, room, epoch) and not (isinstance(event, Loaded) and came != epoch):
            found.append(event)
    return found


def old_epochs(record):
    told = {}  # (room, offset): the message, and who saw it, in the old epoch
    for (client, room), events in record.views.items():
        if not is_renewed(record, room):
            continue
        old, kept = record.cluster.failover.heads[room]
        if not current(record, room, events):
            yield "epoch", f"{client} has never come to {room}'s new epoch"
        is_over, live = False, {}
        for epoch, event in by_epoch(events):
            if epoch != old:
                is_over = is_over or epoch is not None
                if epoch is not None and not is_current(record, room, epoch):
                    yield "epoch", f"{client} was in {room} in the epoch {epoch}, which it has never had"
                continue
            if is_over and isinstance(event, Joined):
                yield "epoch", f"{client} joined {room} in its old epoch after the new one"
            if isinstance(event, Joined):
                live.setdefault(event.connection, event.offset)
            elif isinstance(event, Delivered) and not room.startswith("dm:"):
                if event.message.offset != live.get(event.connection, -1) + 1:
                    yield "order", f"{client} got {event.message.offset} in {room} after {live.get(event.connection)}"
                live[event.connection] = event.message.offset
            for message in event.messages if isinstance(event, (Joined, Loaded)) else (event.message,):
                first, who = told.setdefault((room, message.offset), (message, client))
                if first.lasting != message.lasting:
                    yield "view", f"{client} and {who} saw different messages at {message.offset} of {room} in {old}"
    for (room, offset), (message, client) in told.items():
        history = record.histories[room].forward
        kept = record.cluster.failover.heads[room][1]
        if offset <= kept and (offset > len(history) or history[offset - 1].lasting != message.lasting):
            yield "lost", f"{client} saw {message.id} at {offset} of {room}, which the replica had, and it isn't there"
