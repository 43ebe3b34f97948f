#!/usr/bin/env python3
"""Tests the checker with made-up records, and the WebSocket client with everything that a server may send.

    python3 Tests/Chaos/test_checker.py
"""

import random
import unittest

import checker
import faults
from record import Ack, Delivered, Change, History, Joined, Loaded, Message, Receipt, Record, Sent, Told
from websocket import TEXT, Broken, Frames, client_frame, masked

ROOM, EPOCH = "room", "e1"


def message(offset):
    """The message at an offset in a correct record."""
    return Message(offset, "ann", f"m{offset}", f"text {offset}", 1000 + offset)


def messages(first, last):
    return tuple(message(offset) for offset in range(first, last + 1))


def ack(offset, /, **changes):
    told = message(offset)
    return Ack(ROOM, told.user, told.id, EPOCH, offset, told.at, False, offset + 0.5)._replace(**changes)


def joined(offset, since=None, recovered=False, messages=(), **changes):
    position = None if since is None else (EPOCH, since)
    return Joined(1, position, EPOCH, offset, recovered, messages, 1000.0)._replace(**changes)


def sound(count=10):
    """A correct record: one client stayed connected, one reconnected, and one reconnected too late."""
    record = Record(page_messages=4, page_bytes=1000)
    for told in messages(1, count):
        record.sent[ROOM, told.user, told.id] = Sent(told.text, first=float(told.offset))
        record.acks.append(ack(told.offset))
    record.views["all", ROOM] = [joined(0)] + [Delivered(1, told) for told in messages(1, count)]
    record.views["back", ROOM] = [
        joined(2, messages=messages(1, 2)),
        Delivered(1, message(3)),
        joined(6, since=3, recovered=True, messages=messages(4, 6), connection=2),
        *(Delivered(2, told) for told in messages(7, count)),
    ]
    record.views["late", ROOM] = [
        joined(1, messages=messages(1, 1)),
        joined(9, since=1, connection=2),
        Delivered(2, message(10)),
        Loaded(2, 10, EPOCH, messages(6, 9), True),
    ]
    record.views["again", ROOM] = [
        joined(2),
        Delivered(1, message(3)),
        # Rejoined from its position. Live messages may repeat those of this `joined`.
        joined(5, since=1, recovered=True, messages=messages(2, 5)),
        *(Delivered(1, told) for told in messages(4, count)),
    ]
    record.histories[ROOM] = History(EPOCH, count, list(messages(1, count)), list(messages(1, count)))
    return record


def with_changes():
    """m1 is edited at 11, m2 is reacted to at 12 and 13, m3 is deleted at 14, and all saw it."""
    record = sound()
    record.views.clear()
    entries = list(messages(1, 10))
    entries[0] = entries[0]._replace(text="new", state=(11, None, ()))
    entries[1] = entries[1]._replace(state=(None, None, (("+1", 2, ("ann", "bob")),)))
    entries[2] = entries[2]._replace(text=None, state=(None, 14, ()))
    for offset, user, text, change in [
        (11, "ann", "new", Change("edited", 1)),
        (12, "ann", None, Change("reaction", 2, "+1", 1)),
        (13, "bob", None, Change("reaction", 2, "+1", 2)),
        (14, "ann", None, Change("deleted", 3)),
    ]:
        op = {"edited": "edit", "deleted": "delete", "reaction": "react"}[change.op]
        request = {"op": op, "offset": change.of} | ({"reaction": change.reaction} if change.reaction else {})
        record.sent[ROOM, user, f"m{offset}"] = Sent(text, float(offset), request=request)
        entries.append(Message(offset, user, f"m{offset}", text, 1000 + offset, change))
    record.histories[ROOM] = History(EPOCH, 14, entries, list(entries))
    record.views["all", ROOM] = [joined(0)] + [Delivered(1, told) for told in [*messages(1, 10), *entries[10:]]]
    return record


def with_change(offset, **changes):
    record = with_changes()
    history = record.histories[ROOM]
    history.forward[offset - 1] = history.forward[offset - 1]._replace(**changes)
    history.backward = list(history.forward)
    record.views.clear()
    return record


def with_history(change):
    """A record with another history, from both ends."""
    record = sound()
    history = record.histories[ROOM]
    change(history.forward)
    history.backward = list(history.forward)
    return record


class CheckerTests(unittest.TestCase):
    def assert_finds(self, record, *kinds):
        self.assertEqual({violation.kind for violation in checker.check(record)}, set(kinds))

    def test_facts_that_are_right(self):
        self.assert_finds(with_changes())

    def test_a_message_that_stands_otherwise_than_its_facts_say(self):
        self.assert_finds(with_change(1, text="text 1"), "text")
        self.assert_finds(with_change(1, state=(None, None, ())), "change", "text")
        self.assert_finds(with_change(2, state=(None, None, (("+1", 1, ("ann",)),))), "change")
        self.assert_finds(with_change(3, text="text 3"), "text")
        self.assert_finds(with_change(3, state=(None, None, ())), "change", "text")
        self.assert_finds(with_change(11, text="text 1"), "change")

    def test_a_fact_that_nobody_wanted_or_could_have(self):
        self.assert_finds(with_change(11, change=Change("edited", 2)), "change")
        self.assert_finds(with_change(12, change=Change("reaction", 2, "-1", 1)), "change")
        self.assert_finds(with_change(13, change=Change("reaction", 2, "+1", 3)), "change")
        self.assert_finds(with_change(14, change=Change("deleted", 11)), "change")
        record = with_change(13, user="ann")
        record.sent[ROOM, "ann", "m13"] = record.sent[ROOM, "bob", "m13"]
        self.assert_finds(record, "change")

    def test_a_text_that_was_shown_after_its_deletion_or_never_sent(self):
        record = with_changes()
        entries = record.histories[ROOM].forward
        record.views["late", ROOM] = [joined(14, messages=tuple(entries))]
        self.assert_finds(record)
        record.views["late", ROOM] = [joined(14, messages=(*entries[:2], message(3), *entries[3:]))]
        self.assert_finds(record, "deleted text")
        record.views["late", ROOM] = [joined(14, messages=(entries[0]._replace(text="other"), *entries[1:]))]
        self.assert_finds(record, "text")

    def assert_view_finds(self, client, events, *kinds):
        record = sound()
        record.views[client, ROOM] = events(record.views[client, ROOM])
        self.assert_finds(record, *kinds)

    def test_a_sound_record_has_no_violations(self):
        self.assertEqual(checker.check(sound()), [])

    def test_what_went_wrong_while_it_ran(self):
        record = sound()
        record.complain("the hub ended by itself")
        self.assert_finds(record, "run")

    # History

    def test_an_acknowledged_message_that_is_gone_from_the_end(self):
        record = with_history(lambda history: history.pop())
        record.histories[ROOM].head = 9
        self.assert_finds(record, "lost", "view", "gap")

    def test_a_hole(self):
        self.assert_finds(with_history(lambda history: history.pop(4)), "offsets", "lost", "view")

    def test_a_head_without_its_message(self):
        record = sound()
        record.histories[ROOM].head = 11
        self.assert_finds(record, "offsets", "gap")

    def test_a_message_that_stands_there_twice(self):
        record = sound()
        again = message(10)._replace(offset=11)
        record.histories[ROOM].forward.append(again)
        record.histories[ROOM].backward.append(again)
        record.histories[ROOM].head = 11
        for client, connection in (("all", 1), ("back", 2), ("late", 2), ("again", 1)):
            record.views[client, ROOM].append(Delivered(connection, again))
        self.assert_finds(record, "twice")

    def test_a_message_that_nobody_sent(self):
        record = sound()
        del record.sent[ROOM, "ann", "m5"]
        record.acks = [told for told in record.acks if told.offset != 5]
        self.assert_finds(record, "never sent")

    def test_a_text_that_has_changed(self):
        record = sound()
        record.sent[ROOM, "ann", "m5"].text = "another"
        self.assert_finds(record, "text")

    def test_pages_that_differ_from_the_other_end(self):
        record = sound()
        record.histories[ROOM].backward.pop(0)
        self.assert_finds(record, "pages")
        record.histories[ROOM].backward.insert(0, message(1)._replace(at=1))
        self.assert_finds(record, "pages")

    # Acknowledgements

    def test_an_acknowledgement_of_another_place(self):
        for duplicate in (False, True):
            record = sound()
            record.sent[ROOM, "ann", "m5"].times = 2
            record.acks.append(ack(5, offset=6, at=1006, duplicate=duplicate))
            self.assert_finds(record, "lost", *([] if duplicate else ["duplicate"]))

    def test_an_acknowledgement_beyond_the_end(self):
        record = sound()
        record.acks[9] = ack(10, offset=11)
        self.assert_finds(record, "lost")

    def test_an_acknowledgement_of_a_room_without_history(self):
        record = sound()
        record.acks.append(ack(1, room="other"))
        self.assert_finds(record, "lost")

    def test_an_acknowledgement_of_what_nobody_sent(self):
        record = sound()
        record.acks.append(ack(1, id="m99"))
        self.assert_finds(record, "never sent")

    def test_an_acknowledgement_with_another_time_or_epoch(self):
        record = sound()
        record.acks[4] = ack(5, at=1)
        self.assert_finds(record, "time")
        record.acks[4] = ack(5, epoch="e0")
        self.assert_finds(record, "epoch")

    def test_a_repeat_is_a_duplicate_and_nothing_else_is(self):
        record = sound()
        record.sent[ROOM, "ann", "m5"].times = 2
        record.acks.append(ack(5, duplicate=True))
        self.assert_finds(record)
        record.acks.append(ack(5))
        self.assert_finds(record, "duplicate")
        record = sound()
        record.acks[4] = ack(5, duplicate=True)
        self.assert_finds(record, "duplicate")

    def test_a_message_before_one_that_was_acknowledged_earlier(self):
        record = sound()
        record.sent[ROOM, "ann", "m4"].first = 6.0  # m5 was acknowledged at 5.5
        self.assert_finds(record, "real time")

    # Views

    def test_a_gap_in_what_was_delivered(self):
        self.assert_view_finds("all", lambda events: events[:5] + events[6:], "gap")

    def test_a_message_delivered_twice(self):
        self.assert_view_finds("all", lambda events: events[:6] + events[5:], "order")

    def test_messages_in_another_order(self):
        self.assert_view_finds(
            "all", lambda events: events[:5] + [events[6], events[5]] + events[7:], "gap", "order"
        )

    def test_another_message_than_history_has(self):
        strange = message(5)._replace(id="m6")
        self.assert_view_finds("all", lambda events: events[:5] + [Delivered(1, strange)] + events[6:], "view")

    def test_a_client_that_never_sees_the_end(self):
        self.assert_view_finds("all", lambda events: events[:-1], "gap")

    def test_a_live_message_that_is_left_out_or_comes_twice_around_another_joining(self):
        self.assert_view_finds("again", lambda events: events[:3] + events[4:], "gap")
        self.assert_view_finds("again", lambda events: [*events[:4], events[3], *events[4:]], "order")

    def test_a_joining_behind_what_was_delivered(self):
        behind = joined(2, since=1, recovered=True, messages=messages(2, 2))
        self.assert_view_finds("again", lambda events: [*events[:2], behind, *events[3:]], "order")

    def test_a_message_before_the_connection_has_joined(self):
        early = lambda events: events[:5] + [Delivered(2, event.message) for event in events[5:]]
        self.assert_view_finds("all", early, "order")

    def test_a_recovery_with_a_hole_at_either_end_or_within(self):
        for part in (messages(5, 6), messages(4, 5), (message(4), message(6)), ()):
            self.assert_view_finds("back", lambda e: [*e[:2], e[2]._replace(messages=part), *e[3:]], "gap")

    def test_a_recovery_with_what_was_seen_already(self):
        part = messages(3, 6)
        self.assert_view_finds("back", lambda e: [*e[:2], e[2]._replace(messages=part), *e[3:]], "gap")

    def test_a_recovery_from_another_epoch_or_from_nowhere(self):
        other = lambda events: [*events[:2], events[2]._replace(since=("e0", 3)), *events[3:]]
        self.assert_view_finds("back", other, "recovery")
        self.assert_view_finds("all", lambda events: [events[0]._replace(recovered=True), *events[1:]], "recovery")

    def test_no_recovery_where_a_page_would_have_held_it(self):
        lost = lambda events: [*events[:2], events[2]._replace(recovered=False, messages=(), time=6.5), *events[3:]]
        self.assert_view_finds("back", lost, "recovery")

    def test_no_recovery_is_right_after_too_many_or_too_long_messages(self):
        record = sound()
        record.page_messages = 500
        self.assert_finds(record, "recovery")
        record.page_bytes = 20
        self.assert_finds(record)

    def test_messages_that_were_sent_later_are_no_reason_to_start_over(self):
        record = sound()
        late = record.views["late", ROOM]
        late[1] = late[1]._replace(time=5.0)
        self.assert_finds(record, "recovery")

    def test_messages_with_an_answer_that_recovers_nothing(self):
        self.assert_view_finds("late", lambda e: [e[0], e[1]._replace(messages=messages(9, 9)), *e[2:]], "gap")

    def test_a_joining_in_another_epoch(self):
        self.assert_view_finds("all", lambda events: [events[0]._replace(epoch="e0"), *events[1:]], "epoch")

    def test_a_loaded_page_that_isnt_what_is_before(self):
        for change, kind in (
            ({"messages": messages(6, 8)}, "gap"),
            ({"messages": (message(7), message(9))}, "gap"),
            ({"more": False}, "pages"),
            ({"epoch": "e0"}, "epoch"),
        ):
            self.assert_view_finds("late", lambda events: [*events[:3], events[3]._replace(**change)], kind)

    def test_what_is_shown_names_each_kind_and_counts(self):
        found = [checker.Violation("gap", f"gap {number}") for number in range(30)]
        lines = checker.shown([*found, checker.Violation("lost", "one")])
        self.assertEqual(lines[0], "gap: 30")
        self.assertEqual(lines[-2:], ["lost: 1", "    one"])
        self.assertEqual(len(lines), 2 + checker.SHOWN_PER_KIND + 1)


def told(how, time, *receipts, client="all", head=10, asked=None, life=1, epoch=EPOCH):
    """The receipts of ann and bob, as (delivered, seen)."""
    listed = tuple(Receipt(user, *receipt) for user, receipt in zip(("ann", "bob"), receipts) if receipt)
    return Told(how, client, ROOM, epoch, head, listed, time if asked is None else asked, time, life)


class ReceiptTests(unittest.TestCase):
    def assert_finds(self, events, *kinds):
        record = sound()
        record.say(ROOM, "ann", 10, 4)
        record.say(ROOM, "bob", 9, 9)
        record.receipts = list(events)
        self.assertEqual({violation.kind for violation in checker.check(record)}, set(kinds))

    def test_what_grows_is_sound(self):
        self.assert_finds(
            [
                told("joined", 1, (1, 1)),
                told("receipt", 2, (3, 2), (2, 0), asked=1),
                told("receipt", 3, None, (4, 4), asked=1),
                told("joined", 4, (3, 2), (4, 4), client="back", life=2),
                told("rooms", 5, None, (4, 4), client="bob", life=2),
                told("joined", 6, (10, 10), (9, 9), client="late", life=2),
            ]
        )

    def test_a_receipt_that_goes_back_on_a_connection(self):
        for less in ((3, 1), (2, 2), None):
            self.assert_finds([told("joined", 1, (3, 2)), told("joined", 2, less)], "receipt")
        for less in ((3, 1), (2, 2)):
            self.assert_finds([told("joined", 1, (3, 2)), told("receipt", 2, less, asked=1)], "receipt")

    def test_a_receipt_that_is_gone_after_a_kill(self):
        before = told("receipt", 2, (3, 2), asked=1)
        for after in (told("joined", 4, client="back", life=2), told("joined", 4, (3, 1), client="back", life=2)):
            self.assert_finds([before, after], "receipt")
        self.assert_finds([before, told("rooms", 4, (3, 1), client="ann", life=2)], "receipt")

    def test_a_receipt_to_who_joined_after_others_knew_more(self):
        events = [told("receipt", 2, (3, 2), asked=1), told("joined", 4, (3, 2), client="back", asked=3)]
        self.assert_finds([*events, told("receipt", 5, (3, 1), client="back", asked=3)], "receipt")
        # An earlier request may be answered later.
        self.assert_finds([events[0], told("receipt", 5, (3, 1), client="back", asked=1)])
        self.assert_finds([events[0], told("joined", 5, (3, 1), client="back", asked=1.5)])

    def test_what_the_store_told_holds_for_the_next_hub_and_for_rooms(self):
        before = told("rooms", 2, (3, 2), client="ann", life=1)
        self.assert_finds([before, told("joined", 4, (3, 1), client="back", life=1)])
        self.assert_finds([before, told("joined", 4, (3, 1), client="back", life=2)], "receipt")
        self.assert_finds([before, told("joined", 4, client="back", life=2)], "receipt")
        self.assert_finds([before, told("rooms", 4, (3, 1), client="ann", life=1)], "receipt")

    def test_another_epoch_begins_anew(self):
        self.assert_finds([told("joined", 1, (3, 2)), told("joined", 2, (1, 1), epoch="e2")])

    def test_a_receipt_beyond_the_end(self):
        for how in ("joined", "receipt", "rooms"):
            self.assert_finds([told(how, 1, (4, 2), head=3)], "receipt")

    def test_a_receipt_that_nobody_said(self):
        for receipt in ((10, 9), (9, 9)):
            self.assert_finds([told("joined", 1, None, receipt)], *(["unsaid"] if receipt[0] == 10 else []))
        # Ann sent the last message, and has therefore seen it.
        self.assert_finds([told("joined", 1, (10, 10))])


class FrameTests(unittest.TestCase):
    def test_a_mask_undoes_itself(self):
        payload = bytes(range(251))
        self.assertEqual(masked(payload, b"\x37\xfa\x21\x3d")[:1], b"\x37")
        self.assertEqual(masked(masked(payload, b"abcd"), b"abcd"), payload)
        # RFC 6455, section 5.7: a masked "Hello".
        self.assertEqual(masked(b"Hello", b"\x37\xfa\x21\x3d"), b"\x7f\x9f\x4d\x51\x58")

    def test_a_client_masks_and_tells_the_length_in_three_ways(self):
        heads = {125: b"\x81\xfd", 126: b"\x81\xfe\x00\x7e", 65536: b"\x81\xff" + (65536).to_bytes(8, "big")}
        for size, head in heads.items():
            frame = client_frame(TEXT, b"x" * size)
            self.assertEqual(frame[: len(head)], head)
            mask, body = frame[len(head) : len(head) + 4], frame[len(head) + 4 :]
            self.assertEqual(masked(body, mask), b"x" * size)

    def test_frames_are_found_however_the_bytes_come(self):
        wanted = [(True, TEXT, b"Hello"), (False, TEXT, b"x" * 126), (True, 0, b"y" * 70_000), (True, 9, b"")]
        data = b"\x81\x05Hello" + b"\x01\x7e\x00\x7e" + b"x" * 126
        data += b"\x80\x7f" + (70_000).to_bytes(8, "big") + b"y" * 70_000 + b"\x89\x00"
        for step in (1, 7, 4096, len(data)):
            frames = Frames()
            found = [frame for at in range(0, len(data), step) for frame in frames.feed(data[at : at + step])]
            self.assertEqual(found, wanted)

    def test_what_a_server_mustnt_send(self):
        for data in (b"\xc1\x00", b"\x81\x80", b"\x81\x7f" + b"\xff" * 8):
            with self.assertRaises(Broken):
                Frames().feed(data)


class PlanTests(unittest.TestCase):
    def test_a_seed_decides_the_plan(self):
        for store in faults.OF_STORE:
            plans = {tuple(faults.plan(random.Random(seed), store, 4, True)) for seed in (1, 1, 2, 3)}
            self.assertEqual(len(plans), 3)

    def test_each_fault_can_be_carried_out_and_ends(self):
        for store, kinds in faults.OF_STORE.items():
            for has_disk in (False, True):
                seen = set()
                for seed in range(200):
                    for fault in faults.plan(random.Random(seed), store, 4, has_disk):
                        seen.add(fault.kind)
                        self.assertTrue(callable(getattr(faults.Faults, fault.kind.replace(" ", "_"))))
                        self.assertTrue(0 < fault.at < 4 and 0 < fault.seconds < 3)
                possible = {*faults.EVERYWHERE, *kinds}
                self.assertEqual(seen, possible if has_disk else possible - faults.OF_DISK)


if __name__ == "__main__":
    unittest.main()
