#!/usr/bin/env python3
"""Tests the checks of several hubs with made-up records, and the plans of their faults.

    python3 Tests/Chaos/test_cluster_checks.py
"""

import random
import types
import unittest

import checker
import faults
import versions
from cluster_checks import NEWS_SECONDS, OVERTAKEN_SECONDS, REPLACED_SECONDS, RETURN_SECONDS, WELCOME_SECONDS
from direct_checks import DIRECT_SECONDS
from record import (
    Ack, Attempt, Closed, Cluster, Delivered, Failover, History, Joined, Loaded, Message, Receipt, Record, Rest,
    Sanction, Sent, Session, Start, Told, Trouble,
)
from test_checker import EPOCH, ROOM, ack, joined, message, messages, sound
from versions import BACK, DIRECT_NEWS, MIXED, UPDATE, Rollout, Version, lacks_of_last_release

DIRECT = "dm:ann:bob"
CALM = 100.0  # the time from which there are no faults
LATE = CALM + NEWS_SECONDS  # from then on, every node knows what was known before


def rest(client, node, *members, position=(EPOCH, 10), room=ROOM):
    return Rest(client, client, room, node, position, frozenset(members), len(members))


def several():
    """A correct record of two nodes, with ann and bob on the first, and carl on the second."""
    record = sound()
    record.cluster = Cluster(2, heads={ROOM: (EPOCH, 10)}, calm=CALM, rest=200.0)
    record.cluster.rests = [rest("ann", 1, "ann", "bob"), rest("bob", 1, "ann", "bob"), rest("carl", 2, "carl")]
    record.cluster.troubles = [Trouble(1, 10.0, 12.0)]
    return record


class ClusterTests(unittest.TestCase):
    def assert_finds(self, record, *kinds):
        self.assertEqual({violation.kind for violation in checker.check(record)}, set(kinds))

    def test_a_correct_record_has_no_violations(self):
        self.assertEqual(checker.check(several()), [])

    # Quiescence

    def test_a_client_that_stays_behind_or_in_another_epoch(self):
        for position in ((EPOCH, 9), ("e0", 10), (EPOCH, 11)):
            record = several()
            record.cluster.rests[2] = rest("carl", 2, "carl", position=position)
            self.assert_finds(record, "quiescence")

    def test_a_node_on_which_nobody_shows_anything(self):
        record = several()
        del record.cluster.rests[2]
        self.assert_finds(record, "quiescence")

    def test_a_direct_conversation_that_stays_behind(self):
        record = several()
        record.cluster.heads[DIRECT] = (EPOCH, 2)
        record.cluster.rests.append(rest("ann", 1, room=DIRECT, position=(EPOCH, 2)))
        self.assert_finds(record)
        record.cluster.rests.append(rest("bob", 1, room=DIRECT, position=(EPOCH, 1)))
        self.assert_finds(record, "quiescence")

    # Presence

    def test_members_that_are_missing_or_have_left(self):
        for members in (("ann",), ("ann", "bob", "dora"), ("ann", "bob", "carl")):
            record = several()
            record.cluster.rests[0] = rest("ann", 1, *members)
            self.assert_finds(record, "presence")

    def test_a_count_that_differs_from_the_members(self):
        record = several()
        record.cluster.rests[0] = record.cluster.rests[0]._replace(count=3)
        self.assert_finds(record, "presence")

    # Sessions

    def assert_sessions_find(self, sessions, *kinds):
        record = several()
        record.cluster.sessions = [
            Session("ann", device, node, opened, opened + 0.1, closed, code)
            for device, node, opened, closed, code in sessions
        ]
        self.assert_finds(record, *kinds)

    def test_one_session_of_a_device_on_each_node(self):
        several = [("one", 1, 1.0, None, None), ("one", 2, 2.0, None, None), ("two", 1, 3.0, None, None)]
        self.assert_sessions_find(several)
        self.assert_sessions_find([("one", 1, 1.0, 2.1, 4500), ("one", 1, 2.0, 3.0, 1006), ("one", 1, 4.0, None, None)])

    def test_a_session_beside_a_newer_one(self):
        for closed in (None, 2.2 + REPLACED_SECONDS):
            self.assert_sessions_find([("one", 1, 1.0, closed, None), ("one", 1, 2.0, None, None)], "session")

    def test_sessions_that_were_welcomed_at_once_in_another_order(self):
        newer = ("one", 1, 5.0, None, None)
        self.assert_sessions_find([newer, ("one", 1, 5.01, 5.12, 4500)])
        self.assert_sessions_find([newer, ("one", 1, 5.01, 5.12, 1006)], "session")
        self.assert_sessions_find([newer, ("one", 1, 5.01, 5.12 + WELCOME_SECONDS, 4500)], "session")
        self.assert_sessions_find([newer, ("one", 1, 5.01 + WELCOME_SECONDS, 5.12 + WELCOME_SECONDS, 4500)], "session")

    def test_a_session_that_no_newer_one_of_its_node_has_replaced(self):
        replaced = ("one", 1, 1.0, 3.0, 4500)
        for other in (
            ("one", 2, 2.0, None, None), ("two", 1, 2.0, None, None), ("one", 1, 4.0, None, None),
            ("one", 1, 0.5, 1.5, 4500), ("one", 1, 0.5, 1.5, 1006),
        ):
            self.assert_sessions_find([replaced, other], "session")

    def test_a_message_to_a_session_that_was_replaced(self):
        record = several()
        older = Session("ann", "one", 1, 1.0, 1.1, 2.2, 4500, newest=2.0)
        record.cluster.sessions = [older, Session("ann", "one", 1, 2.0, 2.1)]
        self.assert_finds(record)
        older.newest = 2.15
        self.assert_finds(record, "session")

    # Closes

    def assert_close_finds(self, close, *kinds):
        record = several()
        record.cluster.closes.append(close)
        self.assert_finds(record, *kinds)

    def test_a_client_that_was_closed_with_its_node(self):
        for code, time in ((1006, 10.0), (1012, 11.0), (1001, 12.0 + RETURN_SECONDS), (4001, 50.0)):
            self.assert_close_finds(Closed("ann", 1, code, time))

    def test_a_client_that_was_closed_though_nothing_happened_to_its_node(self):
        for code in (1006, 1012, 1001):
            for node, time in ((2, 11.0), (1, 9.0), (1, 12.1 + RETURN_SECONDS)):
                self.assert_close_finds(Closed("ann", node, code, time), "closed")

    def test_a_client_that_must_resync(self):
        self.assert_close_finds(Closed("ann", 1, 4002, 50.0), "closed")
        record = failed_over()
        record.cluster.closes.append(Closed("ann", 1, 4002, 50.0))
        self.assert_finds(record)

    def test_a_client_that_was_closed_at_rest(self):
        for code in (1006, 4001, 4002):
            self.assert_close_finds(Closed("ann", 1, code, 200.5), "closed")

    # Sanctions

    def assert_attempts_find(self, acts, attempts, *kinds):
        record = several()
        record.cluster.sanctions = [Sanction(ROOM, "dora", kind, 1, acked - 0.5, acked) for kind, acked in acts]
        record.cluster.attempts = [
            Attempt(ROOM, "dora", node, what, asked, asked + 0.1, outcome) for node, what, asked, outcome in attempts
        ]
        self.assert_finds(record, *kinds)

    def test_a_join_after_a_ban(self):
        for node, time in ((1, 20.1), (2, 20.1), (2, LATE)):
            self.assert_attempts_find([("ban", 20.0)], [(node, "join", time, "forbidden")])
            self.assert_attempts_find([("ban", 20.0)], [(node, "join", time, "done")], "sanction")

    def test_a_join_that_was_asked_before_the_confirmation_or_answered_after_the_pardon_was_asked(self):
        self.assert_attempts_find([("ban", 20.0)], [(2, "join", 19.9, "done")])
        self.assert_attempts_find([("ban", 20.0), ("pardon", 30.0)], [(2, "join", 29.45, "done")])

    def test_a_message_after_a_ban_or_a_mute(self):
        for kind in ("ban", "mute"):
            for node, time in ((1, 20.1), (2, LATE)):
                self.assert_attempts_find([(kind, 20.0)], [(node, "send", time, "done")], "sanction")
            # Another node learns of it a little later, and not before the faults are over.
            self.assert_attempts_find([(kind, 20.0)], [(2, "send", LATE - 0.1, "done")])
            self.assert_attempts_find([(kind, CALM + 5)], [(2, "send", CALM + 5.1, "done")])

    def test_what_a_muted_or_pardoned_user_may_do(self):
        self.assert_attempts_find([("mute", 20.0)], [(2, "join", LATE, "forbidden")], "sanction")
        self.assert_attempts_find([("mute", 20.0)], [(2, "join", LATE, "done"), (2, "send", LATE, "forbidden")])
        for what in ("join", "send"):
            acts = [("ban", 20.0), ("pardon", 30.0)]
            self.assert_attempts_find(acts, [(2, what, LATE, "forbidden")], "sanction")
            self.assert_attempts_find(acts, [(2, what, 31.0, "forbidden")])
            self.assert_attempts_find(acts, [(2, what, LATE, "done")])

    def test_a_banned_user_in_the_room_at_rest(self):
        for kind in ("ban", "mute"):
            record = several()
            record.cluster.sanctions = [Sanction(ROOM, "carl", kind, 1, 20.0, 21.0)]
            self.assert_finds(record, *(["sanction"] if kind == "ban" else []))

    def test_a_stored_message_of_who_was_muted(self):
        for acked, kinds in ((20.0, ["sanction"]), (LATE, [])):
            record = several()
            record.sent[ROOM, "ann", "m10"].first = LATE + 1
            record.acks = [told for told in record.acks if told.offset != 10]
            record.cluster.sanctions = [Sanction(ROOM, "ann", "mute", 1, acked - 1, acked)]
            self.assert_finds(record, *kinds)

    # Views and receipts, where there are several nodes

    def test_a_node_that_recovers_a_client_to_what_is_before_its_position(self):
        record = several()
        record.views["back", ROOM].insert(2, joined(2, since=3, recovered=True, connection=2))
        record.views["back", ROOM][3] = record.views["back", ROOM][3]._replace(connection=3)
        record.views["back", ROOM][4:] = [Delivered(3, told) for told in messages(7, 10)]
        self.assert_finds(record, "order")

    def test_another_nodes_receipts_bind_what_is_read_from_the_store(self):
        def told(how, node, time, seen, client="ann"):
            return Told(how, client, ROOM, EPOCH, 10, (Receipt("ann", seen, seen),), time, time, 1, node)

        record = several()
        record.say(ROOM, "ann", 10, 10)
        record.cluster.starts = [Start(1, 1, -10.0, -9.0), Start(2, 1, -10.0, -9.0)]
        for how in ("joined", "rooms"):
            record.receipts = [told("receipt", 1, 1.0, 5), told(how, 2, 2.0, 5)]
            self.assert_finds(record)
            record.receipts = [told("receipt", 1, 1.0, 5), told(how, 2, 2.0, 4)]
            self.assert_finds(record, "receipt")
            # A join on one node after the store has told more.
            record.receipts = [told("rooms", 1, 1.0, 5, client="bob"), told(how, 2, 2.0, 4)]
            self.assert_finds(record, "receipt")
        # Who is in a room of another node hears of the receipt with the next join there.
        record.receipts = [told("receipt", 1, 1.0, 5), told("receipt", 2, 2.0, 3)]
        self.assert_finds(record)
        # Events of one connection keep their order, also behind the answer of a join.
        record.receipts = [told("joined", 1, 1.0, 5), told("receipt", 1, 1.01, 4)]
        self.assert_finds(record, "receipt")
        # A node that doesn't know yet that there are others has read what was stored before its start.
        record.receipts = [told("receipt", 1, 1.0, 5), told("joined", 2, 2.0, 3)]
        record.cluster.starts[1] = Start(2, 1, 0.5, 0.6)
        self.assert_finds(record)
        record.cluster.starts[1] = Start(2, 1, 1.5, 1.6)
        self.assert_finds(record, "receipt")

    def test_answers_of_the_last_release_and_receipts_overtake_each_other(self):
        def told(how, time, seen, room):
            return Told(how, "bob", room, EPOCH, 3, (Receipt("ann", seen, seen),), 19.9, time, 1, 1)

        for room in (DIRECT, ROOM):
            for first, second in (("receipt", "joined"), ("joined", "receipt")):
                for overtakes, late, found in (
                    (True, 0.1, []), (True, 0.1 + OVERTAKEN_SECONDS, ["receipt"]), (False, 0.1, ["receipt"]),
                ):
                    record = several()
                    record.cluster.overtakes = overtakes
                    record.say(room, "ann", 3, 3)
                    record.receipts = [told(first, 20.0, 3, room), told(second, 20.0 + late, 2, room)]
                    self.assert_finds(record, *found)

    # Direct conversations

    def direct(self, *events):
        record = several()
        entries = [Message(n, "ann", f"d{n}", "hi", n) for n in (1, 2, 3)]
        for entry in entries:
            record.sent[DIRECT, "ann", entry.id] = Sent("hi", 0.0)
        record.histories[DIRECT] = History(EPOCH, 3, entries, list(entries))
        record.views["bob", DIRECT] = [event(entries) for event in events]
        return record

    def test_a_direct_message_may_come_again_or_late_if_a_join_brings_the_rest(self):
        start = lambda _: Joined(1, None, EPOCH, 0, False, (), 1.0)
        live = lambda n: lambda entries: Delivered(1, entries[n - 1])
        rejoined = lambda entries: Joined(1, (EPOCH, 1), EPOCH, 3, True, tuple(entries[1:]), 2.0)
        self.assert_finds(self.direct(start, live(1), live(1), live(3), rejoined))
        self.assert_finds(self.direct(start, live(1), live(3)), "gap")
        other = lambda entries: Delivered(1, entries[2]._replace(id="d9"))
        self.assert_finds(self.direct(start, live(1), other, rejoined), "view")

    def test_a_direct_message_that_comes_while_a_join_is_unanswered_counts_after_the_answer(self):
        start = lambda _: Joined(1, None, EPOCH, 0, False, (), 1.0)
        live = lambda n, connection=1: lambda entries: Delivered(connection, entries[n - 1])
        answer = lambda connection=1: lambda entries: Joined(connection, (EPOCH, 0), EPOCH, 1, True, (entries[0],), 2.0)
        self.assert_finds(self.direct(live(1), start, live(2), live(3)))
        self.assert_finds(self.direct(start, live(2), live(3), answer()))
        self.assert_finds(self.direct(live(2), live(3), answer()))
        # Neither with a hole, nor on another connection.
        self.assert_finds(self.direct(start, live(3), answer()), "gap")
        self.assert_finds(self.direct(start, live(2), live(3), answer(connection=2)), "gap")

    # Direct messages in time. ann sends three on the first node, at 130, 131 and 132; bob is on the second node.

    def told(self, *events, closed=None, hears=True, is_told=True, node=2, acks=1, last=DIRECT_SECONDS):
        """`events` are what bob's device, which joined at 0, is given: (offset, seconds after the acknowledgement)."""
        record = self.direct(lambda _: Joined(1, None, EPOCH, 0, False, (), 1.0))
        history = record.histories[DIRECT]
        for number, entry in enumerate(history.forward):
            record.sent[DIRECT, "ann", entry.id] = Sent("hi", 130.0 + number, is_told=is_told)
            record.acks.append(Ack(DIRECT, "ann", entry.id, EPOCH, entry.offset, entry.at, False, 130.5 + number, acks))
        session = Session("bob", "phone", node, 1.0, 1.1, closed, None, client="bob", connection=1, hears=hears)
        record.cluster.sessions = [session]
        record.cluster.end = 132.5 + last
        record.views["bob", DIRECT] += [
            Delivered(1, history.forward[offset - 1], 129.5 + offset + late) for offset, late in events
        ]
        return record

    def test_direct_messages_that_a_connected_session_gets_in_time(self):
        self.assert_finds(self.told((1, 0.3), (2, 0.3), (3, DIRECT_SECONDS)))
        self.assert_finds(self.told((1, 0.3), (1, 0.4), (2, 0.3), (2, 0.4), (3, 0.3)))

    def test_a_direct_message_that_a_connected_session_never_gets(self):
        for missing in (1, 2, 3):
            record = self.told(*[(offset, 0.3) for offset in (1, 2, 3) if offset != missing])
            self.assert_finds(record, "direct", "gap")

    def test_a_direct_message_that_comes_too_late(self):
        self.assert_finds(self.told((1, 0.3), (2, 0.3), (3, DIRECT_SECONDS + 0.1)), "direct")
        # During the faults there is no bound: the time begins at their end.
        record = self.told((1, 20.0), (2, 20.0), (3, 20.0), last=40.0)
        record.cluster.calm = 150.0
        self.assert_finds(record)
        record.cluster.calm = 130.0
        self.assert_finds(record, "direct")

    def test_a_join_that_covers_a_direct_message(self):
        for time, kinds in ((133.0, []), (133.0 + DIRECT_SECONDS, ["direct"])):
            record = self.told((1, 0.3), (3, 0.3), last=10.0)
            entries = tuple(record.histories[DIRECT].forward[1:])
            record.views["bob", DIRECT].append(Joined(1, (EPOCH, 1), EPOCH, 3, True, entries, time))
            self.assert_finds(record, *kinds)

    def test_a_session_that_ends_before_its_time_or_begins_after_the_message_needs_none(self):
        late = [(1, 0.3), (2, 0.3), (3, DIRECT_SECONDS + 0.1)]
        self.assert_finds(self.told(*late, closed=132.4 + DIRECT_SECONDS))
        self.assert_finds(self.told(*late, closed=132.6 + DIRECT_SECONDS), "direct")
        self.assert_finds(self.told(*late, last=DIRECT_SECONDS - 0.1))
        record = self.told(*late)
        record.cluster.sessions[0].welcomed = 132.1
        self.assert_finds(record)
        record.cluster.sessions[0].welcomed = None
        self.assert_finds(record)

    def test_a_message_that_came_on_an_earlier_connection(self):
        record = self.told((1, 0.3), (2, 0.3), (3, 0.3))
        record.cluster.sessions[0].connection = 2
        self.assert_finds(record, "direct")

    def test_the_senders_other_device_and_a_device_that_has_never_joined(self):
        for user in ("ann", "bob"):
            record = self.told((1, 0.3), (2, 0.3), (3, 0.3))
            device = Session(user, "new", 2, 1.0, 1.1, client="new", connection=1)
            record.cluster.sessions.append(device)
            self.assert_finds(record, "direct")
            device.user = "carl"
            self.assert_finds(record)

    def test_another_version_that_lacks_news_of_direct_messages_binds_only_its_own_sessions(self):
        late = [(1, 0.3), (2, 0.3), (3, DIRECT_SECONDS + 0.1)]
        for lacks in ({"hears": False}, {"is_told": False}):
            self.assert_finds(self.told(*late, **lacks))
            self.assert_finds(self.told(*late, node=1, **lacks), "direct")
            # A repeat that another node answers doesn't bind that node's.
            self.assert_finds(self.told(*late, acks=3, **lacks))

    def test_a_direct_message_of_before_a_failover(self):
        record = self.told((1, 0.3), (2, 0.3), (3, DIRECT_SECONDS + 0.1))
        for time, kinds in ((132.6, []), (132.4, ["direct"])):
            record.cluster.failover = Failover(sure=time, time=time, heads={})
            self.assert_finds(record, *kinds)


OLD = "e0"
LOST = tuple(Message(offset, "ann", f"lost{offset}", "gone", offset) for offset in (7, 8))


def failed_over():
    """A correct record: the replica has offsets 1…6 for certain. 7 and 8 were lost, and given again later."""
    record = Record(page_messages=100, page_bytes=100_000)
    record.cluster = Cluster(1, failover=Failover(sure=6.6, time=8.7, heads={ROOM: (OLD, 6)}))
    for told in messages(1, 10):
        late = 0 if told.offset <= 6 else 100
        record.sent[ROOM, told.user, told.id] = Sent(told.text, told.offset + late)
        record.acks.append(ack(told.offset, time=told.offset + late + 0.5, epoch=EPOCH if late else OLD))
    for told in LOST:
        record.sent[ROOM, told.user, told.id] = Sent(told.text, float(told.offset) - 0.3)
        record.acks.append(Ack(ROOM, told.user, told.id, OLD, told.offset, told.at, False, told.offset + 0.1))
    record.views["ann", ROOM] = [
        joined(0, epoch=OLD),
        *(Delivered(1, told) for told in (*messages(1, 6), *LOST)),
        Joined(2, (OLD, 8), EPOCH, 8, False, (), 110.0),
        Loaded(2, 9, EPOCH, messages(1, 8), False),
        *(Delivered(2, told) for told in messages(9, 10)),
    ]
    record.histories[ROOM] = History(EPOCH, 10, list(messages(1, 10)), list(messages(1, 10)))
    return record


class FailoverTests(unittest.TestCase):
    def assert_finds(self, record, *kinds):
        self.assertEqual({violation.kind for violation in checker.check(record)}, set(kinds))

    def assert_view_finds(self, change, *kinds):
        record = failed_over()
        events = list(record.views["ann", ROOM])
        record.views["bob", ROOM] = change(events) or events
        self.assert_finds(record, *kinds)

    def test_a_lost_tail_in_its_own_epoch_is_no_violation(self):
        self.assert_finds(failed_over())
        self.assert_view_finds(lambda events: None)

    def test_a_lost_tail_in_an_epoch_that_stays(self):
        record = failed_over()
        record.cluster.failover.heads[ROOM] = (EPOCH, 6)
        record.acks = [told._replace(epoch=EPOCH) for told in record.acks]
        events = record.views["ann", ROOM]
        events[0] = events[0]._replace(epoch=EPOCH)
        events[9:] = [Delivered(1, told) for told in messages(9, 10)]
        self.assert_finds(record, "lost", "real time", "view", "text")

    def test_an_acknowledgement_that_the_replica_had_or_of_the_new_epoch(self):
        for number in (5, 9):
            record = failed_over()
            record.acks[number] = record.acks[number]._replace(id="lost7")
            self.assert_finds(record, "lost")

    def test_a_message_that_the_replica_had_and_that_differs(self):
        record = failed_over()
        record.views["ann", ROOM][5] = Delivered(1, message(5)._replace(id="m4"))
        self.assert_finds(record, "lost")

    def test_different_messages_at_one_place_of_the_old_epoch(self):
        other = LOST[0]._replace(id="lost8")
        self.assert_view_finds(lambda events: [*events[:7], Delivered(1, other), *events[8:]], "view")

    def test_a_gap_or_a_repeat_in_the_old_epoch(self):
        self.assert_view_finds(lambda events: events[:3] + events[4:], "order")
        self.assert_view_finds(lambda events: events[:3] + events[2:], "order")

    def test_a_message_of_the_new_epoch_on_a_connection_of_the_old_one(self):
        self.assert_view_finds(lambda events: [*events[:7], Delivered(1, message(7)), *events[9:]], "view")

    def test_a_page_of_the_new_epoch_that_was_requested_in_the_old_one(self):
        page = Loaded(1, 20, EPOCH, messages(5, 8), True, 8)
        self.assert_view_finds(lambda events: [*events[:9], page, *events[9:]])
        self.assert_view_finds(lambda events: [*events[:10], page._replace(connection=2), *events[10:]], "gap")

    def test_a_client_that_never_comes_to_the_new_epoch(self):
        self.assert_view_finds(lambda events: events[:9], "epoch")

    def test_a_client_that_comes_back_to_the_old_epoch_or_to_another(self):
        again = joined(8, epoch=OLD, connection=3)
        self.assert_view_finds(lambda events: [*events, again], "epoch")
        self.assert_view_finds(lambda events: [*events[:9], joined(8, epoch="e9", connection=5), *events[9:]], "epoch")

    def test_a_recovery_from_the_old_epoch(self):
        wrong = lambda events: events[9]._replace(recovered=True)
        self.assert_view_finds(lambda events: [*events[:9], wrong(events), *events[10:]], "recovery")

    def test_a_client_that_doesnt_come_to_the_end(self):
        self.assert_view_finds(lambda events: events[:-1], "gap")

    def test_a_ban_that_may_be_lost_binds_nobody_and_an_earlier_one_does(self):
        for acked, kinds in ((5.0, ["sanction"]), (7.0, [])):
            record = failed_over()
            record.cluster.sanctions = [Sanction(ROOM, "dora", "ban", 1, acked - 1, acked)]
            record.cluster.attempts = [Attempt(ROOM, "dora", 1, "join", 200.0, 200.1, "done")]
            self.assert_finds(record, *kinds)

    def test_a_receipt_that_goes_back_in_the_new_epoch(self):
        def told(time, seen, epoch):
            return Told("joined", "ann", ROOM, epoch, 10, (Receipt("ann", seen, seen),), time, time, 1)

        record = failed_over()
        record.say(ROOM, "ann", 10, 10)
        record.receipts = [told(7.0, 8, OLD), told(120.0, 5, EPOCH)]
        self.assert_finds(record)
        record.receipts.append(told(121.0, 4, EPOCH))
        self.assert_finds(record, "receipt")


class RolloutTests(unittest.TestCase):
    this, other = Version("this"), Version("other", frozenset([DIRECT_NEWS]))

    def programs(self, rollout):
        return [rollout.version(types.SimpleNamespace(number=number, starts=number)).program for number in (1, 2, 3)]

    def test_nodes_change_from_one_version_to_the_other_when_they_are_replaced(self):
        for way, before, after in ((UPDATE, "other", "this"), (BACK, "this", "other")):
            rollout = Rollout(self.this, self.other, way)
            self.assertEqual(self.programs(rollout), [before] * 3)
            rollout.replaced.add(2)
            self.assertEqual(self.programs(rollout), [before, after, before])

    def test_versions_take_turns(self):
        self.assertEqual(self.programs(Rollout(self.this, self.other, MIXED)), ["other", "this", "other"])
        self.assertEqual(self.programs(Rollout(self.this, None, UPDATE)), ["this"] * 3)

    def test_direct_messages_are_expected_on_all_nodes_only_if_all_versions_tell_them(self):
        self.assertTrue(Rollout(self.this).has_direct_news)
        self.assertTrue(Rollout(self.this, Version("other")).has_direct_news)
        self.assertFalse(Rollout(self.this, self.other).has_direct_news)

    def test_the_last_release_names_what_it_lacks(self):
        self.assertLessEqual(lacks_of_last_release(), versions.ALL)


class NodePlanTests(unittest.TestCase):
    def test_each_fault_can_be_carried_out_on_a_node_and_ends(self):
        for has_disk in (False, True):
            seen, nodes = set(), set()
            for seed in range(300):
                for fault in faults.plan_for_nodes(random.Random(seed), 3, 4, has_disk):
                    seen.add(fault.kind)
                    nodes.add(fault.node)
                    self.assertEqual(fault.node > 0, fault.kind in faults.OF_NODE)
                    self.assertTrue(callable(getattr(faults.Faults, fault.kind.replace(" ", "_"))))
                    self.assertTrue(0 < fault.at < 4 and 0 < fault.seconds < 3)
            self.assertEqual(seen, set(faults.OF_NODES) - (set() if has_disk else faults.OF_DISK))
            self.assertEqual(nodes, {0, 1, 2, 3})


if __name__ == "__main__":
    unittest.main()
