#!/usr/bin/env python3
"""Tests the checks of hubs with a bus between them with made-up records, and the plans of its faults.

    python3 Tests/Chaos/test_bus_checks.py
"""

import random
import types
import unittest

import checker
import over_redis
import redis_faults
import versions
from bus_checks import AGAIN_SECONDS, HEALED_SECONDS, POLLED_SECONDS, PROMPT_SECONDS, has_bus
from cluster_checks import LATE_CLAIM_SECONDS, REPLACED_SECONDS
from record import Aside, Bus, Closed, Delivered, Joined, Roster, Sanction, Session, Start, Stay, Trouble
from redis_servers import NamingProxy
from test_checker import EPOCH, ROOM, message
from test_cluster_checks import rest, several
from versions import ONE_SESSION, PROMPT_NEWS, SHARED_ASIDES, SHARED_PRESENCE, SHARED_REMOVALS, Rollout, Version

UP, REST, OFF, END = 110.0, 200.0, 300.0, 400.0
USERS = ("ann", "bob", "carl")


def on_bus(*promises):
    """A correct record of two nodes on a bus, with ann and bob on the first, and carl on the second. The last message
    is said at rest."""
    record = several()
    cluster = record.cluster
    cluster.promises = frozenset(promises)
    cluster.rest, cluster.end = REST, END
    cluster.bus = Bus(up=UP, off=OFF)
    cluster.rests = [rest(user, 1 + (user == "carl"), *USERS) for user in USERS]
    if SHARED_PRESENCE not in promises:
        cluster.rests = several().cluster.rests
    cluster.bus.rosters = [
        Roster(each.client, ROOM, each.node, each.members, each.count, False) for each in cluster.rests
    ]
    record.acks[-1] = record.acks[-1]._replace(time=REST + 1, node=1)
    for user in USERS:
        record.views[user, ROOM] = [*record.views["all", ROOM][:-1], Delivered(1, message(10), REST + 1.01)]
    return record


class BusTests(unittest.TestCase):
    def assert_finds(self, record, *kinds):
        self.assertEqual({violation.kind for violation in checker.check(record)}, set(kinds))

    def test_a_correct_record_has_no_violations(self):
        self.assert_finds(on_bus())
        self.assert_finds(on_bus(*versions.OF_BUS))

    # When there is a bus

    def test_a_node_is_on_the_bus_unless_something_happened_to_it_or_to_all(self):
        cluster = on_bus().cluster
        cluster.troubles = []
        self.assertTrue(has_bus(cluster, 50, 52, 1, 2))
        self.assertFalse(has_bus(cluster, 50, OFF + 1, 1))
        for node, is_troubled in ((0, True), (2, True), (3, False)):
            cluster.bus.troubles = [Trouble(node, 40, 41)]
            for begin, end, is_free in (
                (30, 39.9, True), (30, 40, False), (40.5, 40.6, False), (42, 43, False), (41 + AGAIN_SECONDS, 60, True),
            ):
                self.assertEqual(has_bus(cluster, begin, end, 1, 2), is_free or not is_troubled)
        # All were seen on the bus after the last fault.
        cluster.bus.troubles = [Trouble(1, UP - 2, UP - 1)]
        self.assertTrue(has_bus(cluster, UP, UP + 1, 1))
        self.assertFalse(has_bus(cluster, UP - 0.1, UP + 1, 1))

    def test_a_node_that_was_down_or_starts_is_not_on_the_bus(self):
        cluster = on_bus().cluster
        cluster.troubles = [Trouble(1, 10, 12)]
        self.assertFalse(has_bus(cluster, 13, 14, 1))
        self.assertTrue(has_bus(cluster, 13, 14, 2))
        cluster.starts = [Start(2, 1, 11, 12)]
        self.assertFalse(has_bus(cluster, 13, 14, 2))
        self.assertTrue(has_bus(cluster, 12 + AGAIN_SECONDS, 30, 2))
        self.assertTrue(has_bus(cluster, 8, 10, 2))

    # Messages

    def with_late(self, late, acked=REST + 1, promises=(PROMPT_NEWS,)):
        record = on_bus(*promises)
        record.acks[-1] = record.acks[-1]._replace(time=acked)
        record.views["carl", ROOM][-1] = Delivered(1, message(10), acked + late)
        return record

    def test_a_message_at_rest_that_is_late_on_another_node(self):
        self.assert_finds(self.with_late(PROMPT_SECONDS - 0.1))
        self.assert_finds(self.with_late(PROMPT_SECONDS + 0.1), "late")
        self.assert_finds(self.with_late(PROMPT_SECONDS + 0.1, promises=()))
        # Before the rest, and for who isn't in the room, there is no bound.
        self.assert_finds(self.with_late(PROMPT_SECONDS + 0.1, acked=REST - 1))
        record = self.with_late(PROMPT_SECONDS + 0.1)
        record.cluster.bus.up = float("inf")
        self.assert_finds(record)

    def test_a_message_that_is_late_without_the_bus(self):
        for acked in (OFF + 1, OFF - PROMPT_SECONDS / 2):
            self.assert_finds(self.with_late(POLLED_SECONDS - 0.1, acked))
            self.assert_finds(self.with_late(POLLED_SECONDS + 0.1, acked), "late")

    def test_a_message_that_never_comes(self):
        record = on_bus(PROMPT_NEWS)
        record.views["carl", ROOM].pop()
        self.assert_finds(record, "late", "gap")

    def test_the_first_acknowledgement_counts_and_a_join_may_bring_the_message(self):
        record = self.with_late(PROMPT_SECONDS + 0.1)
        record.acks.append(record.acks[-1]._replace(time=REST + 2, duplicate=True))
        record.sent[ROOM, "ann", "m10"].times = 2
        self.assert_finds(record, "late")
        record = self.with_late(PROMPT_SECONDS + 0.1)
        answer = Joined(1, (EPOCH, 9), EPOCH, 10, True, (message(10),), REST + 1.5)
        record.views["carl", ROOM].insert(-1, answer)
        self.assert_finds(record)

    # Sessions

    def with_sessions(self, *sessions, promises=(ONE_SESSION,), troubles=()):
        """Each (node, opened, closed, code) of one device."""
        record = on_bus(*promises)
        record.cluster.sessions = [
            Session("ann", "one", node, opened, opened + 0.1, closed, code, client="ann")
            for node, opened, closed, code in sessions
        ]
        record.cluster.troubles, record.cluster.bus.troubles = [], list(troubles)
        return record

    def test_a_newer_session_on_another_node_replaces(self):
        good = [(1, 50.0, 51.05, 4500), (2, 51.0, None, None)]
        self.assert_finds(self.with_sessions(*good))
        self.assert_finds(self.with_sessions(*good, promises=()), "session")  # as nothing on its node has replaced it

    def test_a_session_beside_a_newer_one_on_another_node(self):
        closed = 51.2 + REPLACED_SECONDS
        both = [(1, 50.0, closed, None), (2, 51.0, None, None)]
        self.assert_finds(self.with_sessions(*both), "session")
        self.assert_finds(self.with_sessions(*both, promises=()))
        for node, kinds in ((0, []), (1, []), (2, []), (3, ["session"])):
            self.assert_finds(self.with_sessions(*both, troubles=[Trouble(node, 49.0, 49.5)]), *kinds)
        for begin, kinds in ((REST, ["session"]), (OFF, [])):
            both = [(1, begin + 1, None, None), (2, begin + 2, None, None)]
            self.assert_finds(self.with_sessions(*both), *kinds)

    def test_a_session_beside_a_newer_one_on_its_node_with_one_on_another_node_between_them(self):
        three = [(1, 50.0, None, None), (2, 51.0, 60.0, None), (1, 52.0, None, None)]
        self.assert_finds(self.with_sessions(*three, troubles=[Trouble(0, 49.0, 49.5)]), "session")

    def test_a_message_to_a_session_that_was_replaced_on_another_node(self):
        record = self.with_sessions((1, 50.0, 51.15, 4500), (2, 51.0, None, None))
        record.cluster.sessions[0].newest = 51.05
        self.assert_finds(record)
        record.cluster.sessions[0].newest = 51.12
        self.assert_finds(record, "session")

    def test_two_sessions_that_are_left_when_all_nodes_are_on_the_bus_again(self):
        troubles = [Trouble(0, 99.0, 105.0)]
        both = [(1, 100.0, None, None), (2, 101.0, None, None)]
        self.assert_finds(self.with_sessions(*both, troubles=troubles), "session")
        for closed, kinds in ((UP + HEALED_SECONDS, []), (REST + 1, ["session"])):
            both = [(1, 100.0, closed, 1006), (2, 101.0, None, None)]
            self.assert_finds(self.with_sessions(*both, troubles=troubles), *kinds)
        self.assert_finds(self.with_sessions((1, 100.0, None, None), (1, 90.0, 100.2, 4500), troubles=troubles))

    def test_a_session_that_was_replaced_by_none(self):
        self.assert_finds(self.with_sessions((1, 50.0, 52.0, 4500)), "session")
        for other in ((2, 53.0, None, None), (2, 49.0, 51.0, 1006)):
            self.assert_finds(self.with_sessions((1, 50.0, 52.0, 4500), other), "session")
        # The word of another node may be late, if one of them had lost the bus.
        late = [(1, 50.0, 55.0, 4500), (2, 50.5, 55.1 - LATE_CLAIM_SECONDS + 0.5, 1006)]
        self.assert_finds(self.with_sessions(*late, troubles=[Trouble(2, 50.0, 54.0)]))
        self.assert_finds(self.with_sessions(*late), "session")

    # Closes

    def with_close(self, code, *others, promises=(ONE_SESSION,)):
        troubles = [Trouble(0, 49.0, 59.0)]
        record = self.with_sessions((1, 50.0, 60.0, code), *others, promises=promises, troubles=troubles)
        record.cluster.closes = [Closed("ann", 1, code, 60.0, record.cluster.sessions[0])]
        return record

    def test_a_client_that_is_closed_though_only_redis_or_another_node_failed(self):
        for code in (1006, 1012, 1001):
            record = self.with_close(code)
            record.cluster.troubles = [Trouble(2, 59.0, 61.0)]
            self.assert_finds(record, "closed")
            record.cluster.troubles = [Trouble(1, 59.0, 61.0)]
            self.assert_finds(record)

    def test_one_of_two_sessions_that_had_begun_without_the_bus(self):
        other = (2, 55.0, None, None)
        self.assert_finds(self.with_close(1012, other))
        self.assert_finds(self.with_close(1006, other), "closed")
        self.assert_finds(self.with_close(1012, other, promises=()), "closed")
        self.assert_finds(self.with_close(1012, (2, 50.0, 52.0, 1006)), "closed")
        record = self.with_close(1012, other)
        record.cluster.sessions[1].device = "two"
        self.assert_finds(record, "closed")

    # Presence

    def test_members_of_other_nodes(self):
        record = on_bus(SHARED_PRESENCE)
        record.cluster.rests[0] = rest("ann", 1, "ann", "bob")
        self.assert_finds(record, "presence")
        record = on_bus()
        record.cluster.rests[0] = rest("ann", 1, *USERS)
        self.assert_finds(record, "presence")

    def assert_rosters_find(self, change, *kinds):
        record = on_bus(SHARED_PRESENCE)
        change(record.cluster.bus.rosters)
        self.assert_finds(record, *kinds)
        record.cluster.promises = frozenset()
        record.cluster.rests = several().cluster.rests
        self.assert_finds(record)

    def test_answers_to_who(self):
        def changed(**changes):
            def change(rosters):
                rosters[2] = rosters[2]._replace(**changes)

            return change

        self.assert_rosters_find(changed())
        self.assert_rosters_find(changed(is_partial=True), "presence")
        self.assert_rosters_find(changed(users=frozenset(USERS[:2])), "presence")
        self.assert_rosters_find(changed(users=frozenset([*USERS, "ghost"])), "presence")
        self.assert_rosters_find(changed(count=4), "presence")
        self.assert_rosters_find(lambda rosters: rosters.pop(), "presence")

    # Typing and ephemeral messages

    def with_asides(self, **late):
        """What ann says on the first node, and how late others hear it."""
        record = on_bus(SHARED_ASIDES)
        for kind in ("typing", "ephemeral"):
            record.cluster.bus.asides.append(Aside(kind, ROOM, "ann", 1, REST + 5))
            for user, seconds in ({"bob": 0.0, "carl": 0.01} | late).items():
                if seconds is not None:
                    record.cluster.bus.heard[user, kind, ROOM, "ann"] = REST + 5 + seconds
        return record

    def test_typing_and_ephemeral_messages(self):
        self.assert_finds(self.with_asides())
        for user in ("bob", "carl"):
            for seconds in (None, PROMPT_SECONDS + 0.1):
                record = self.with_asides(**{user: seconds})
                self.assert_finds(record, "aside")
                record.cluster.promises = frozenset()
                self.assert_finds(record)

    # Kicks and bans

    def with_stay(self, kind, until, acked=REST - 5, since=50.0, **changes):
        record = on_bus(SHARED_REMOVALS)
        act = Sanction(ROOM, "dora", kind, 1, acked - 0.1, acked)._replace(**changes)
        (record.cluster.bus.kicks if kind == "kick" else record.cluster.sanctions).append(act)
        record.cluster.stays = [Stay(f"dora {node}", "dora", ROOM, node, since, acked + until) for node in (1, 2)]
        return record

    def test_a_device_that_stays_after_a_kick_or_a_ban(self):
        for kind in ("kick", "ban"):
            self.assert_finds(self.with_stay(kind, 0.1))
            self.assert_finds(self.with_stay(kind, PROMPT_SECONDS + 0.1), "removal")
            self.assert_finds(self.with_stay(kind, float("inf")), "removal")
            self.assert_finds(self.with_stay(kind, float("inf"), user="eve"))
            self.assert_finds(self.with_stay(kind, float("inf"), since=REST))  # came back
            record = self.with_stay(kind, float("inf"))
            record.cluster.promises = frozenset()
            self.assert_finds(record)
        self.assert_finds(self.with_stay("mute", float("inf")))

    def test_a_removal_while_a_node_has_no_bus(self):
        record = self.with_stay("kick", PROMPT_SECONDS + 0.1, acked=60.0)
        self.assert_finds(record, "removal")
        record.cluster.bus.troubles = [Trouble(0, 59.0, 59.5)]
        self.assert_finds(record)


class PromiseTests(unittest.TestCase):
    def test_all_versions_of_a_round_must_promise(self):
        some, lacking = Version("some"), Version("lacking", frozenset([ONE_SESSION]))
        self.assertEqual(Rollout(some).promises, versions.OF_BUS)
        self.assertEqual(Rollout(some, lacking).promises, versions.OF_BUS - {ONE_SESSION})
        self.assertEqual(Rollout(lacking, some).promises, versions.OF_BUS - {ONE_SESSION})
        self.assertEqual(Rollout(some, Version("old", frozenset([versions.REDIS]))).promises, frozenset())

    def test_this_version_names_what_it_lacks(self):
        self.assertLessEqual(versions.lacks_of_this_version(), {versions.REDIS, *versions.OF_BUS})

    def test_a_hub_that_lacks_redis_is_not_told_of_it(self):
        node = over_redis.RedisNode.__new__(over_redis.RedisNode)
        node.bus_settings, node.settings = {"cluster.redisFile": "redis"}, {"loops": 1}
        # Every second start is of the other version.
        node.rollout = Rollout(Version("new"), Version("old", frozenset([versions.REDIS])))
        for node.starts, name, settings in ((2, "new", {"loops", "cluster.redisFile"}), (3, "old", {"loops"})):
            self.assertEqual((node.program(), set(node.settings)), (name, settings))


class PlanTests(unittest.TestCase):
    def test_each_fault_can_be_carried_out_and_ends(self):
        for is_watched in (False, True):
            seen, nodes, of_links = set(), set(), redis_faults.OF_NODE | redis_faults.OF_SENTINEL_LINKS
            for seed in range(300):
                found = redis_faults.plan(random.Random(seed), 3, 8, is_watched)
                self.assertEqual(found, sorted(found))
                for fault in found:
                    seen.add(fault.kind)
                    nodes.add(fault.node)
                    self.assertTrue(callable(getattr(redis_faults.RedisFaults, fault.kind.replace(" ", "_"))))
                    self.assertTrue(0 < fault.at < 8 and 0 < fault.seconds < 3)
                    self.assertEqual(fault.node > 0, fault.kind in of_links)
            of_sentinels = {*redis_faults.OF_PRIMARY, *redis_faults.OF_SENTINELS, *redis_faults.OF_SENTINEL_LINKS}
            self.assertEqual(
                seen, {*redis_faults.OF_NODE, *redis_faults.OF_SERVER} | (of_sentinels if is_watched else set())
            )
            self.assertEqual(nodes, {0, 1, 2, 3})

    def test_rounds_take_turns(self):
        kinds = [over_redis.round_kind(number, False) for number in range(1, 7)]
        self.assertEqual(kinds[0], kinds[5])
        self.assertEqual(len(set(kinds)), 4)
        self.assertNotIn(over_redis.ScalingRound, {over_redis.round_kind(number, True) for number in range(1, 7)})

    def test_a_link_to_a_sentinel_names_the_nodes_own_links(self):
        proxy = NamingProxy(1, [types.SimpleNamespace(port=20123)], [types.SimpleNamespace(port=45678)])
        named = b"*2\r\n$9\r\n127.0.0.1\r\n$5\r\n20123\r\n"
        self.assertEqual(proxy.changed(named), named.replace(b"20123", b"45678"))


if __name__ == "__main__":
    unittest.main()
