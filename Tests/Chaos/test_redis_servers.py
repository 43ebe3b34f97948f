#!/usr/bin/env python3
"""Tries the servers, links and faults of rounds over Redis, with a small client in the place of a hub.

    python3 Tests/Chaos/test_redis_servers.py
"""

import asyncio
import contextlib
import pathlib
import random
import shutil
import tempfile
import types
import unittest

import resp
from faults import Fault
from record import Bus, Cluster, Record
from redis_faults import RedisFaults
from redis_servers import HUB_PASSWORD, HUB_USER, NAME, OneRedis, WatchedRedis
from waiting import until

LOGIN = (HUB_USER, HUB_PASSWORD)
CHANNEL = "gohub.all"
SECONDS = 0.3  # of a fault
BOUND_SECONDS = 20


class Case(unittest.IsolatedAsyncioTestCase):
    kind = OneRedis

    async def asyncSetUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gohub-chaos-test-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.bus = self.kind(self.folder / "bus", "gohub")
        self.addAsyncCleanup(self.bus.quit)
        await self.bus.start()
        self.record = Record(page_messages=1, page_bytes=1, cluster=Cluster(2, bus=Bus()))
        self.nodes = []
        for number in (1, 2):
            links = self.bus.links()
            self.addAsyncCleanup(links.stop)
            await links.start()
            self.nodes.append(types.SimpleNamespace(number=number, links=links, record=self.record, proxy=None))

    def faults(self, node=0):
        return RedisFaults(self.nodes[node], None, [], random.Random(1), self.bus, self.nodes)

    async def happen(self, kind, node=0, share=0.9):
        await self.faults(node).happen(Fault(0, kind, SECONDS, share))
        self.assertEqual(self.record.complaints, [])

    async def open(self, port):
        connection = await resp.Connection.open(port, LOGIN)
        self.addCleanup(connection.close)
        return connection

    async def subscriber(self, port):
        connection = await self.open(port)
        self.assertEqual(await connection.ask("SUBSCRIBE", CHANNEL), ["subscribe", CHANNEL, 1])
        return connection

    async def assert_closed(self, connection):
        async def is_closed():
            try:
                await connection.reply(1)
            except resp.Refused:
                pass
            except (OSError, ValueError):
                return True
            return False

        self.assertTrue(await until(is_closed, BOUND_SECONDS))

    async def assert_carries(self, port, other=None):
        """A message published through one port comes through the other one."""
        subscriber, publisher = await self.subscriber(other or port), await self.open(port)
        self.assertEqual(await publisher.ask("PUBLISH", CHANNEL, "news"), 1)
        self.assertEqual(await subscriber.reply(), ["message", CHANNEL, "news"])
        subscriber.close()
        publisher.close()
        self.assertTrue(await until(self.is_empty, BOUND_SECONDS))

    async def is_empty(self):
        return await self.bus.listeners() == 0


class OneRedisTests(Case):
    @property
    def port(self):
        return self.nodes[0].links.proxies[0].port

    async def test_the_hubs_user_has_the_channels_of_its_prefix_and_nothing_else(self):
        await self.assert_carries(self.port, self.nodes[1].links.proxies[0].port)
        connection = await self.open(self.port)
        for words in (("PUBLISH", "other.all", "x"), ("GET", "key"), ("FLUSHALL",), ("CONFIG", "GET", "port")):
            with self.assertRaisesRegex(resp.Refused, "NOPERM"):
                await connection.ask(*words)
        with self.assertRaisesRegex(resp.Refused, "WRONGPASS"):
            await resp.ask(self.port, "PING", login=(HUB_USER, "wrong"))
        with self.assertRaisesRegex(resp.Refused, "NOAUTH"):
            await resp.ask(self.port, "PING")
        self.assertEqual((await connection.ask("ROLE"))[0], "master")
        self.assertIn("run_id", await connection.ask("INFO", "server"))

    async def test_listeners_are_counted(self):
        self.assertEqual(await self.bus.listeners(), 0)
        for number, node in enumerate(self.nodes, 1):
            await self.subscriber(node.links.proxies[0].port)
            self.assertEqual(await self.bus.listeners(), number)

    async def test_faults_that_end_connections_and_pass(self):
        for kind in ("kill redis", "kill subscribers", "overflow redis", "deny redis", "cut bus", "deafen bus"):
            with self.subTest(kind):
                subscriber = await self.subscriber(self.port)
                await self.happen(kind)
                await self.assert_closed(subscriber)
                await self.assert_carries(self.port)

    async def test_faults_that_leave_connections(self):
        for kind in ("freeze redis", "pause redis", "flush redis", "stall bus", "mute bus", "slow bus"):
            with self.subTest(kind):
                subscriber, publisher = await self.subscriber(self.port), await self.open(self.port)
                began = self.record.now()
                await self.happen(kind)
                self.assertEqual(await publisher.ask("PUBLISH", CHANNEL, "news"), 1)
                self.assertEqual(await subscriber.reply(), ["message", CHANNEL, "news"])
                self.assertEqual(self.record.now() - began >= SECONDS, kind != "flush redis")
                subscriber.close()
                publisher.close()

    async def test_a_link_is_one_way(self):
        node, other = self.nodes[0].links.proxies[0].port, self.nodes[1].links.proxies[0].port
        heard, mine = await self.subscriber(node), await self.open(node)
        for kind, comes in (("mute bus", True), ("deafen bus", False)):
            fault = asyncio.create_task(self.faults().happen(Fault(0, kind, 1.0, 0.5)))
            await asyncio.sleep(0.1)
            await resp.ask(other, "PUBLISH", CHANNEL, kind, login=LOGIN)
            mine.tell("PUBLISH", CHANNEL, "mine")
            if comes:
                self.assertEqual(await heard.reply(0.5), ["message", CHANNEL, kind])
            with self.assertRaises(TimeoutError):
                await heard.reply(0.3)
            await fault
            if comes:
                self.assertEqual(await heard.reply(), ["message", CHANNEL, "mine"])
        await self.assert_closed(heard)

    async def test_an_outage_is_recorded_with_its_node(self):
        await self.happen("cut bus", node=1)
        await self.happen("freeze redis")
        await self.happen("flush redis")
        self.assertEqual([trouble.node for trouble in self.record.cluster.bus.troubles], [2, 0])
        self.assertTrue(all(each.ended - each.began >= SECONDS for each in self.record.cluster.bus.troubles))


class WatchedRedisTests(Case):
    kind = WatchedRedis

    async def named(self, node=0):
        """The port that a node is given by each Sentinel that answers."""
        found = []
        for proxy in self.nodes[node].links.to_sentinels:
            with contextlib.suppress(OSError, TimeoutError):
                address = await resp.ask(proxy.port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
                found.append(int(address[1]))
        return found

    def ports(self, node=0):
        return [proxy.port for proxy in self.nodes[node].links.proxies]

    async def test_sentinels_name_each_node_its_own_link(self):
        for node in (0, 1):
            first, second = self.ports(node)
            self.assertEqual(await self.named(node), [first] * 3)
            self.assertEqual((await resp.ask(first, "ROLE", login=LOGIN))[0], "master")
            self.assertEqual((await resp.ask(second, "ROLE", login=LOGIN))[0], "slave")

    async def test_a_primary_that_is_killed_is_replaced_and_the_nodes_are_told(self):
        first, second = self.ports()
        told = await resp.Connection.open(self.nodes[0].links.to_sentinels[0].port)
        self.addCleanup(told.close)
        await told.ask("SUBSCRIBE", "+switch-master")
        await self.happen("lose primary")
        kind, channel, text = await told.reply()
        self.assertEqual((kind, channel), ("message", "+switch-master"))
        self.assertEqual(text.split()[::2], [NAME, str(first), str(second)])
        self.assertTrue(await until(lambda: self.all_name(second), BOUND_SECONDS))
        await self.assert_carries(second)

    async def all_name(self, port):
        return await self.named() == [port] * 3

    async def test_a_failover_by_hand(self):
        subscriber = await self.subscriber(self.ports()[0])
        await self.happen("fail over")
        await self.assert_closed(subscriber)
        self.assertTrue(await until(lambda: self.all_name(self.ports()[1]), BOUND_SECONDS))

    async def test_a_primary_that_only_the_nodes_reach_goes_on_until_it_is_found(self):
        first, second = self.ports()
        subscriber = await self.subscriber(first)
        fault = asyncio.create_task(self.happen("part primary", share=0.1))

        async def are_both_primaries():
            roles = [(await resp.ask(port, "ROLE", login=LOGIN))[0] for port in (first, second)]
            return roles == ["master", "master"]

        self.assertTrue(await until(are_both_primaries, BOUND_SECONDS))
        await resp.ask(first, "PUBLISH", CHANNEL, "x", login=LOGIN)
        self.assertEqual(await subscriber.reply(), ["message", CHANNEL, "x"])
        # One node reaches no Sentinel.
        self.assertEqual(sorted([len(await self.named(node)) for node in (0, 1)]), [0, 3])
        await fault
        await self.assert_closed(subscriber)
        self.assertTrue(await until(lambda: self.all_name(second), BOUND_SECONDS))

    async def test_a_primary_that_is_detached_keeps_its_connections(self):
        first, second = self.ports()
        subscriber = await self.subscriber(first)
        await self.happen("detach primary")
        self.assertEqual(await self.named(), [second] * 3)
        with self.assertRaises(TimeoutError):
            await subscriber.reply(0.2)
        self.assertEqual((await resp.ask(first, "ROLE", login=LOGIN))[0], "slave")
        self.assertTrue(await until(self.bus.is_ready, BOUND_SECONDS))

    async def test_faults_that_change_no_primary(self):
        for kind in ("kill sentinel", "cut sentinels", "kill redis", "deny redis", "overflow redis"):
            with self.subTest(kind):
                await self.happen(kind)
                self.assertTrue(await until(lambda: self.all_name(self.ports()[0]), BOUND_SECONDS))
                await self.assert_carries(self.ports()[0])


if __name__ == "__main__":
    unittest.main()
