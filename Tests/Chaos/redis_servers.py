"""The Redis servers of a round, and what leads to them.

`OneRedis` is a single server. `WatchedRedis` is a primary and a replica, watched by three Sentinels. Each node reaches
them through links of its own (`Links`), which can be cut, stalled and slowed.

The Sentinels and the replication use one address of each server, and the nodes another one. So a primary can lose the
others and still answer the nodes, and a node alone can lose the primary.
"""

import asyncio
import shutil
import signal

import resp
from processes import KILL_SECONDS, START_SECONDS, Failure, Ports, ended, last_lines, spawn, tell
from proxy import Proxy
from waiting import together, until

DOWN_AFTER_MS = 1500  # without an answer, until a Sentinel takes a primary for down
FAILOVER_TIMEOUT_MS = 3000
QUORUM = 2
SENTINELS = 3
READY_SECONDS = 20
NAME = "main"  # of the primary, to the Sentinels
ADMIN = ("admin", "the-admins-password")
HUB_USER, HUB_PASSWORD = "gohub", "p@ss:w/rd"  # to be percent-encoded in a URL
HUB_RIGHTS = ("-@all +auth +role +info +ping +client|setname +publish +subscribe +unsubscribe").split()
URL_PASSWORD = "p%40ss%3Aw%2Frd"


class Program:
    """A redis-server, as a server or as a Sentinel. It keeps its port and its configuration over restarts, and no
    data."""

    ARGUMENTS = ()

    def __init__(self, folder, lines):
        folder.mkdir()
        self.folder = folder
        self.log = folder / "log"
        self.port = Ports.take()
        self.process = None
        self.lock = asyncio.Lock()  # held by whatever ends or suspends it
        # Redis and its Sentinels write what they learn into their configuration.
        self.configuration = folder / "conf"
        self.lines = ["bind 127.0.0.1", f"port {self.port}", f"dir {folder}", *lines]

    @staticmethod
    def find():
        return shutil.which("redis-server") or "/usr/bin/redis-server"

    async def start(self):
        if not self.configuration.exists():
            self.configuration.write_text("".join(f"{line}\n" for line in self.lines))
            self.configuration.chmod(0o600)
        try:
            self.process = await spawn([self.find(), self.configuration, *self.ARGUMENTS], self.log, cwd=self.folder)
        except FileNotFoundError:
            raise Failure("there is no redis-server: Debian's package redis-server has it") from None
        if not await until(self.is_up, START_SECONDS, pause=0.02) or self.process.returncode is not None:
            raise Failure(f"Redis doesn't start:\n{last_lines(self.log)}")

    async def is_up(self):
        if self.process.returncode is not None:
            return True
        try:
            return await self.ask("PING") == "PONG"
        except (OSError, TimeoutError, resp.Refused):
            return False

    async def kill(self):
        tell(self.process, signal.SIGKILL)
        if self.process is not None and not await ended(self.process, KILL_SECONDS):
            raise Failure(f"Redis, process {self.process.pid}, is still there after SIGKILL")

    async def freeze(self, seconds):
        tell(self.process, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            tell(self.process, signal.SIGCONT)


class Redis(Program):
    """A server with a user for the hubs, who may use the channels of one prefix."""

    def __init__(self, folder, prefix, lines=()):
        self.rights = [f"&{prefix}.*", *HUB_RIGHTS]
        super().__init__(folder, [
            'save ""',
            "user default off",
            f"user {ADMIN[0]} on >{ADMIN[1]} ~* &* +@all",
            f"user {HUB_USER} on >{HUB_PASSWORD} resetchannels {' '.join(self.rights)}",
            f"masteruser {ADMIN[0]}",
            f"masterauth {ADMIN[1]}",
            "repl-diskless-sync-delay 0",
            *lines,
        ])

    async def ask(self, *words):
        return await resp.ask(self.port, *words, login=ADMIN)

    async def information(self, section):
        """The fields of an `INFO` section."""
        lines = (await self.ask("INFO", section)).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    async def listeners(self, channel):
        """The number of subscribers of a channel."""
        return (await self.ask("PUBSUB", "NUMSUB", channel))[1]


class Sentinel(Program):
    ARGUMENTS = ("--sentinel",)

    async def ask(self, *words):
        return await resp.ask(self.port, *words)


class OneRedis:
    """A single server."""

    sentinels = ()

    def __init__(self, folder, prefix):
        folder.mkdir()
        self.folder = folder
        self.prefix = prefix
        self.servers = [Redis(folder / "redis", prefix)]
        self.lock = asyncio.Lock()  # held while it is decided which server is the primary

    @property
    def programs(self):
        return [*self.servers, *self.sentinels]

    async def start(self):
        await self.servers[0].start()

    async def primary(self):
        return self.servers[0]

    def links(self):
        """A node's links, to be started."""
        return Links([Proxy(self.servers[0].port)])

    def url(self, links=None):
        """Through a node's links, or directly."""
        port = links.proxies[0].port if links else self.servers[0].port
        return f"redis://{HUB_USER}:{URL_PASSWORD}@127.0.0.1:{port}"

    async def listeners(self):
        """How many nodes are on the primary."""
        try:
            return await (await self.primary()).listeners(f"{self.prefix}.all")
        except (OSError, TimeoutError, resp.Refused):
            return 0

    async def stop(self):
        for program in self.programs:
            await program.kill()

    quit = stop


class WatchedRedis(OneRedis):
    """A primary and a replica, watched by Sentinels."""

    def __init__(self, folder, prefix, is_direct=False):
        folder.mkdir()
        self.folder = folder
        self.prefix = prefix
        self.is_direct = is_direct  # the Sentinels name the servers themselves
        self.servers = [Redis(folder / f"redis-{number}", prefix) for number in (1, 2)]
        self.inner = self.servers
        self.lock = asyncio.Lock()

    async def start(self):
        if not self.is_direct:
            # The addresses by which the servers and the Sentinels know each other.
            self.inner = [Proxy(server.port) for server in self.servers]
            await together(*(proxy.start() for proxy in self.inner))
        for proxy, server in zip(self.inner, self.servers):
            server.lines += ["replica-announce-ip 127.0.0.1", f"replica-announce-port {proxy.port}"]
        self.servers[1].lines.append(f"replicaof 127.0.0.1 {self.inner[0].port}")
        watching = [f"sentinel {line}" for line in self.watching(self.inner[0].port)]
        self.sentinels = [Sentinel(self.folder / f"sentinel-{number}", watching) for number in range(1, SENTINELS + 1)]
        for program in self.programs:
            await program.start()
        if not await until(self.is_ready, READY_SECONDS):
            raise Failure(f"the Sentinels don't find all of them:\n{last_lines(self.sentinels[0].log)}")

    def watching(self, port):
        return [
            f"monitor {NAME} 127.0.0.1 {port} {QUORUM}",
            f"auth-user {NAME} {ADMIN[0]}",
            f"auth-pass {NAME} {ADMIN[1]}",
            f"down-after-milliseconds {NAME} {DOWN_AFTER_MS}",
            f"failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}",
        ]

    async def watch_anew(self, server):
        """Has the Sentinels forget everything, and take this server for the primary. They tell nobody."""
        for sentinel in self.sentinels:
            await sentinel.ask("SENTINEL", "REMOVE", NAME)
            for line in self.watching(self.inner_port(server)):
                what, rest = line.split(" ", 1)
                await sentinel.ask("SENTINEL", *(["MONITOR"] if what == "monitor" else ["SET", NAME, what]),
                                   *rest.split()[0 if what == "monitor" else 1:])

    def inner_port(self, server):
        return self.inner[self.servers.index(server)].port

    async def is_ready(self):
        """Whether each Sentinel knows the replica and the other Sentinels, and finds everything up."""
        for sentinel in self.sentinels:
            if not await self.is_known(sentinel):
                return False
        return True

    async def is_known(self, sentinel):
        fields = fields_of(await sentinel.ask("SENTINEL", "MASTER", NAME))
        replicas = [fields_of(entry) for entry in await sentinel.ask("SENTINEL", "REPLICAS", NAME)]
        return fields["num-other-sentinels"] == str(SENTINELS - 1) and fields["flags"] == "master" and [
            (replica["flags"], replica["master-link-status"]) for replica in replicas
        ] == [("slave", "ok")]

    async def primary(self):
        """The server that most Sentinels name. Raises OSError if too few answer."""
        named = [port for port in [await self.named_by(sentinel) for sentinel in self.sentinels] if port]
        for proxy, server in zip(self.inner, self.servers):
            if named.count(proxy.port) >= QUORUM:
                return server
        raise OSError("no two Sentinels name the same primary")

    async def named_by(self, sentinel):
        try:
            address = await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)
            return int(address[1]) if address else None
        except (OSError, TimeoutError, resp.Refused):
            return None

    async def is_primary(self, server):
        """Whether it is named, and has been promoted."""
        try:
            return await self.primary() is server and (await server.ask("ROLE"))[0] == "master"
        except (OSError, TimeoutError, resp.Refused):
            return False

    def links(self):
        links = Links([Proxy(server.port) for server in self.servers])
        for sentinel in self.sentinels:
            links.to_sentinels.append(NamingProxy(sentinel.port, self.inner, links.proxies))
        return links

    def url(self, links=None):
        ports = ",".join(f"127.0.0.1:{each.port}" for each in (links.to_sentinels if links else self.sentinels))
        return f"redis+sentinel://{HUB_USER}:{URL_PASSWORD}@{ports}/{NAME}"

    async def quit(self):
        await self.stop()
        for proxy in self.inner if self.inner is not self.servers else ():
            await proxy.stop()


def fields_of(reply):
    return dict(zip(reply[::2], reply[1::2]))


class NamingProxy(Proxy):
    """Leads to a Sentinel. Where that names a server, a node is given the address of its own link to the server."""

    def __init__(self, target, named, given):
        super().__init__(target)
        self.named = named
        self.given = given

    def changed(self, data):
        """All ports have five digits, so lengths stay. A Sentinel sends each answer at once."""
        for proxy, link in zip(self.named, self.given):
            data = data.replace(str(proxy.port).encode(), str(link.port).encode())
        return data


class Links:
    """One node's links to the servers and to the Sentinels."""

    def __init__(self, proxies):
        self.proxies = proxies
        self.to_sentinels = []
        self.lock = asyncio.Lock()  # one fault at a time

    async def start(self):
        await together(*(proxy.start() for proxy in [*self.proxies, *self.to_sentinels]))

    async def stop(self):
        for proxy in [*self.proxies, *self.to_sentinels]:
            await proxy.stop()
