"""The hub and PostgreSQL as child processes: started, killed, stopped, and always ended, by process id."""

import asyncio
import contextlib
import ctypes
import os
import pathlib
import resource
import shutil
import signal
import socket

from disk import Disk
from waiting import until, within

START_SECONDS = 30
# For the server on small disks, one for its tables and one for its log: an empty one takes a third of each.
TABLES_BYTES = 96 * 1024 * 1024
LOG_BYTES = 48 * 1024 * 1024
STOP_SECONDS = 15
KILL_SECONDS = 10
QUERY_SECONDS = 20
# Below the ephemeral ports, so that no client socket takes the hub's port while the hub is down.
PORTS = range(20000, 32000)
NOBODY = 65534
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
LIBC = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """The campaign can't run, or a process misbehaves. The text says why."""


class Ports:
    """Distinct free ports."""

    next = os.getpid() * 7 % len(PORTS)

    @classmethod
    def take(cls):
        for _ in PORTS:
            port = PORTS[cls.next % len(PORTS)]
            cls.next += 1
            with socket.socket() as probe, contextlib.suppress(OSError):
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                return port
        raise Failure("no port is free")


def bound_to_parent(number):
    """Runs in the child before exec: the child ends with this process, even if this process is killed."""
    parent = os.getpid()

    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        # With the signal ignored, a write beyond the limit fails as on a full disk. By default the signal kills the
        # process.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    return prepare


async def spawn(command, log, death=signal.SIGKILL, **options):
    with open(log, "ab") as output:
        return await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # signals from the terminal do not reach it
            preexec_fn=bound_to_parent(death),
            **options,
        )


async def ended(process, seconds):
    """Returns whether it ended in time."""
    try:
        await within(seconds, process.wait())
        return True
    except TimeoutError:
        return False


def tell(process, number):
    """Sends a signal, unless the process has ended."""
    if process is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)


async def listens(port):
    try:
        _, writer = await within(1, asyncio.open_connection("127.0.0.1", port))
    except (OSError, TimeoutError):
        return False
    writer.transport.abort()
    return True


def last_lines(path, count=15):
    with contextlib.suppress(OSError):
        return "\n".join(f"    {line}" for line in pathlib.Path(path).read_text(errors="replace").splitlines()[-count:])
    return "    (there is no log)"


class Hub:
    """A gohubd that keeps its port over restarts."""

    def __init__(self, programs, folder, store, settings, complain, begin_life):
        self.programs = programs  # taken in turns, one at each start
        self.starts = 0
        self.folder = folder
        self.log = folder / "hub.log"
        self.store = store
        self.settings = settings
        self.complain = complain
        self.begin_life = begin_life
        self.port = Ports.take()
        self.process = None
        self.watcher = None
        self.lock = asyncio.Lock()  # held from the end of a run to the start of the next one

    def program(self):
        """For the next start."""
        return self.programs[self.starts % len(self.programs)]

    async def start(self, extra=()):
        program = self.program()
        self.starts += 1
        command = [program, "serve", "--listen", f"127.0.0.1:{self.port}", "--store", self.store]
        for key, value in [*self.settings.items(), *extra]:
            command += ["--set", f"{key}={value}"]
        # The hub makes a socket in a private folder here. After a kill, the next hub removes it.
        environment = {**os.environ, "TMPDIR": str(self.folder)}
        self.begin_life()
        self.process = await spawn(command, self.log, cwd=self.folder, env=environment)

        async def is_up():
            return self.process.returncode is not None or await listens(self.port)

        if not await until(is_up, START_SECONDS, pause=0.02):
            raise Failure(f"the hub doesn't listen after {START_SECONDS} s:\n{last_lines(self.log)}")
        if self.process.returncode is not None:
            raise Failure(f"the hub ended with {self.process.returncode} at its start:\n{last_lines(self.log)}")
        self.watcher = asyncio.create_task(self.watch(self.process))

    async def watch(self, process):
        """An exit that nobody requested is a crash."""
        code = await process.wait()
        self.complain(f"the hub ended by itself, with {code}; see {self.log}")

    def unwatch(self):
        if self.watcher is not None:
            self.watcher.cancel()
            self.watcher = None

    async def kill(self):
        self.unwatch()
        tell(self.process, signal.SIGKILL)
        if self.process is not None and not await ended(self.process, KILL_SECONDS):
            raise Failure(f"the hub, process {self.process.pid}, is still there after SIGKILL")

    async def drain(self):
        """Stops it with SIGTERM, as an operator does."""
        self.unwatch()
        tell(self.process, signal.SIGTERM)
        if not await ended(self.process, STOP_SECONDS):
            self.complain(f"the hub hasn't stopped {STOP_SECONDS} s after SIGTERM; see {self.log}")
            await self.kill()
        elif self.process.returncode != 0:
            self.complain(f"the hub ended with {self.process.returncode} after SIGTERM; see {self.log}")
        elif left := list(self.folder.glob("gohubd-*")):
            self.complain(f"the hub has left {', '.join(path.name for path in left)}, of one that was killed or its own")

    async def freeze(self, seconds):
        tell(self.process, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            tell(self.process, signal.SIGCONT)

    async def bound_files(self, bytes_max, seconds):
        """Limits the size of the hub's files for a time."""
        pid = self.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (bytes_max, hard))
        try:
            await asyncio.sleep(seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


class Postgres:
    """A PostgreSQL server in a folder of its own. PostgreSQL refuses to run as root, so root runs it as nobody."""

    def __init__(self, folder, has_disk):
        self.folder = folder
        self.has_disk = has_disk
        self.disks = []
        self.data = folder / ("tables/data" if has_disk else "data")
        self.log = folder / "postgres.log"
        self.port = Ports.take()
        self.process = None
        self.lock = asyncio.Lock()
        self.binaries = self.find()
        self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}

    @staticmethod
    def find():
        """The newest Debian version, or the one in PATH."""
        numbered = pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb")
        candidates = sorted((int(path.parts[-3]), path) for path in numbered if path.parts[-3].isdigit())
        found = [path for version, path in reversed(candidates) if version >= 14]
        if in_path := shutil.which("initdb"):
            found.append(pathlib.Path(in_path))
        if not found:
            raise Failure(
                "there is no PostgreSQL server: `make chaos` installs one (Debian's package postgresql), "
                "or put the directory of initdb and postgres into PATH"
            )
        return found[0].parent

    def command(self, name, *arguments):
        return [self.binaries / name, *arguments]

    async def run(self, name, *arguments):
        """Runs one of its programs, and returns the exit status."""
        process = await spawn(self.command(name, *arguments), self.log, cwd=self.folder, **self.user)
        try:
            if not await ended(process, START_SECONDS):
                raise Failure(f"{name} hasn't ended in {START_SECONDS} s; see {self.log}")
        finally:
            tell(process, signal.SIGKILL)
        return process.returncode

    def give_folder(self):
        self.folder.chmod(0o755)
        if self.user:
            os.chown(self.folder, NOBODY, NOBODY)

    async def make(self):
        self.give_folder()
        log = []
        if self.has_disk:
            for name, size in (("tables", TABLES_BYTES), ("log", LOG_BYTES)):
                self.disks.append(Disk(self.folder / name, size, NOBODY))
            log = ["--waldir", self.folder / "log/wal"]
        status = await self.run(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
            "--wal-segsize=1", *log,
        )
        if status != 0:
            raise Failure(f"initdb failed:\n{last_lines(self.log)}")

    async def start(self):
        command = self.command("postgres", "-D", self.data, "-p", self.port)
        for setting in (
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "shared_buffers=32MB",
            # Otherwise recovery syncs each of a thousand files, which takes most of a round.
            "recovery_init_sync_method=syncfs",
            # Keeps as few log segments as possible, so that a full disk has an effect.
            "min_wal_size=2MB",
            "max_wal_size=16MB",
        ):
            command += ["-c", setting]
        # The server shuts down immediately when this process is gone and the signal arrives.
        self.process = await spawn(command, self.log, death=signal.SIGQUIT, cwd=self.folder, **self.user)

        if not await until(self.is_up, START_SECONDS):
            raise Failure(f"PostgreSQL isn't ready after {START_SECONDS} s:\n{last_lines(self.log)}")
        if self.process.returncode is not None:
            raise Failure(f"PostgreSQL ended with {self.process.returncode}:\n{last_lines(self.log)}")

    async def is_up(self):
        """Waits until it answers, or has exited."""
        if self.process.returncode is not None:
            return True
        return await self.run("pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres") == 0

    async def recover(self):
        """Waits for the server's own recovery. A server that exited is started, as an operator would."""
        await until(self.is_up, START_SECONDS)
        if self.process.returncode is not None:
            await self.start()

    async def use_up_log(self):
        """Writes to the log until its preallocated segments are used. Fails when there is no space for more."""
        await self.psql("SELECT pg_logical_emit_message(false, 'chaos', repeat('x', 100000)) FROM generate_series(1, 200)")

    async def psql(self, sql):
        arguments = ["-X", "-q", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres", "-v", "ON_ERROR_STOP=1"]
        return await self.run("psql", *arguments, "-o", "/dev/null", "-c", sql)

    async def execute(self, sql):
        if await self.psql(sql) != 0:
            raise Failure(f"PostgreSQL refuses {sql}:\n{last_lines(self.log)}")

    async def query(self, sql):
        """The rows of an answer, each a tuple of texts."""
        arguments = ["-X", "-q", "-A", "-t", "-F", "\t", "-h", "127.0.0.1", "-p", self.port, "-U", "postgres"]
        process = await asyncio.create_subprocess_exec(
            *map(str, self.command("psql", *arguments, "-c", sql)), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd=self.folder, **self.user,
        )
        output, _ = await within(QUERY_SECONDS, process.communicate())
        if process.returncode != 0:
            raise Failure(f"PostgreSQL refuses {sql}:\n{last_lines(self.log)}")
        return [tuple(line.split("\t")) for line in output.decode().splitlines()]

    def url(self, schema, port):
        """Connects through a proxy's port."""
        return f"postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable&options=-csearch_path%3D{schema}"

    async def kill(self):
        """Kills it and all of its children together with SIGKILL, so that no child keeps the shared memory."""
        if self.process is None or self.process.returncode is not None:
            return
        postmaster = self.process.pid
        tell(self.process, signal.SIGSTOP)  # it starts no more children
        children = children_of(postmaster)
        for pid in [postmaster, *children]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not await ended(self.process, KILL_SECONDS):
            raise Failure(f"PostgreSQL, process {postmaster}, is still there after SIGKILL")
        if not await until(lambda: not any(is_of(pid, self.data) for pid in children), KILL_SECONDS, pause=0.01):
            raise Failure(f"a child of PostgreSQL, process {postmaster}, is still there after SIGKILL")
        # Another process may have its pid by the next start, and would be mistaken for a server.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    async def quit(self):
        """Immediate shutdown: without a checkpoint, so that the next start recovers as after a crash."""
        tell(self.process, signal.SIGQUIT)
        if self.process is not None and not await ended(self.process, KILL_SECONDS):
            await self.kill()

    def unmount(self, is_kept):
        while self.disks:
            disk = self.disks.pop()
            disk.unmount(copy=disk.folder.with_name(f"{disk.folder.name}-copy") if is_kept else None)


def children_of(parent):
    found = []
    for path in pathlib.Path("/proc").iterdir():
        if path.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                # "pid (name) state ppid …"; a name may have spaces and parentheses.
                if int((path / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(path.name))
    return found


def is_of(pid, data):
    """Whether a live process works in a data directory, as all processes of a server do."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cwd").resolve() == data.resolve()
    return False
