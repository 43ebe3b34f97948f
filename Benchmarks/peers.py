"""Builds or installs the other servers to compare with. An unavailable one is reported, never silently left out."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
BUILD = HERE.parent / ".build-bench"
GO_SOURCES = pathlib.Path("/usr/share/gocode")  # the folder of Debian's packages of Go libraries
SOCKETIFY_VERSION = "0.0.31"
INSTALL_SECONDS_MAX = 300


@dataclass
class Peer:
    name: str
    about: str  # a description with versions, or the reason why it isn't measured
    command: str = ""  # empty if it isn't measured


def output_of(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX, **more).stdout


def reason_of(error):
    """The last line of a failed command's output."""
    said = (getattr(error, "stderr", "") or "").strip().splitlines()
    return said[-1] if said else str(error)


def gorilla():
    name = "gorilla"
    if not shutil.which("go"):
        return Peer(name, "not measured: there is no Go here (Debian: golang-go)")
    if not (GO_SOURCES / "src/github.com/gorilla/websocket").is_dir():
        return Peer(name, "not measured: Debian's golang-github-gorilla-websocket-dev isn't installed")
    binary = BUILD / name
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GO_SOURCES), "GOCACHE": str(BUILD / "go-cache")}
    environment["GOFLAGS"] = ""
    try:
        output_of("go", "build", "-o", str(binary), ".", cwd=HERE / "peers" / name, env=environment)
        go = output_of("go", "version").split()[2].removeprefix("go")
    except (OSError, subprocess.SubprocessError) as error:
        return Peer(name, f"not measured: it doesn't build: {reason_of(error)}")
    library = debian_version("golang-github-gorilla-websocket-dev")
    return Peer(name, f"hub and spoke on gorilla/websocket {library}, Go {go}", f"{binary} {{port}}")


def debian_version(package):
    try:
        return re.sub(r"-[^-]*$", "", output_of("dpkg-query", "-W", "-f", "${Version}", package))
    except (OSError, subprocess.SubprocessError):
        return "(version unknown)"


def socketify():
    name = "socketify"
    venv, script = BUILD / "venv", HERE / "peers" / "socketify_server.py"
    python = venv / "bin" / "python"
    stamp = venv / f"socketify-{SOCKETIFY_VERSION}"
    try:
        if not stamp.exists():
            print(f"Installing socketify {SOCKETIFY_VERSION} into {venv.relative_to(HERE.parent)}", file=sys.stderr)
            shutil.rmtree(venv, ignore_errors=True)
            output_of("/usr/bin/python3", "-m", "venv", str(venv))
            output_of(str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                      f"socketify=={SOCKETIFY_VERSION}")
            output_of(str(python), "-c", "import socketify")
            stamp.touch()
        version = output_of(str(python), "-c", "import platform; print(platform.python_version())").strip()
    except (OSError, subprocess.SubprocessError) as error:
        return Peer(name, f"not measured: it can't be installed: {reason_of(error)}")
    return Peer(name, f"uWebSockets through socketify {SOCKETIFY_VERSION}, Python {version}", f"{python} {script} {{port}}")


def prepare(names):
    BUILD.mkdir(exist_ok=True)
    known = {"gorilla": gorilla, "socketify": socketify}
    return {name: known[name]() for name in names}
