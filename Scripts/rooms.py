#!/usr/bin/env python3
"""Prints which folder of a module uses which, and which module imports which.

With --check it compares them with the plan in Docs/Architecture.md (the `mermaid` blocks under "Rooms"),
and fails on an arrow that the plan doesn't allow, on a cycle in the plan, and on a folder that the plan lacks.
A folder may use every folder that it reaches by arrows of the plan.

The sources are read as text: a folder uses another one if its code names a top-level type that the other one declares.
Functions in extensions are not detected, nor are types that two folders declare under one name.
"""

import argparse
import collections
import pathlib
import re
import sys

PROJECT = pathlib.Path(__file__).resolve().parent.parent
SOURCES = PROJECT / "Sources"
PLAN = PROJECT / "Docs" / "Architecture.md"

# Comments and strings. Interpolated expressions in strings are skipped too.
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|(#*)""".*?"""\1|(#+)".*?"\2|"(?:\\.|[^"\\\n])*"', re.DOTALL)
DECLARATION = re.compile(
    r"^(?P<indent>[ ]*)(?:@\w+(?:\([^)]*\))? +)*(?:(?:public|package|internal|private|fileprivate|final|indirect) +)*"
    r"(?:struct|class|enum|protocol|actor|typealias) +(?P<name>[A-Z]\w*)", re.MULTILINE)
IMPORT = re.compile(r"^\s*(?:@\w+ +)?(?:(?:public|package|internal|private|fileprivate) +)?import +(\w+)", re.MULTILINE)
NAME = re.compile(r"(?<![.\w])[A-Z]\w*")


class Module:
    """The Swift files of one target, by folder."""

    def __init__(self, folder: pathlib.Path):
        self.name = folder.name
        self.code = {}
        self.imports = set()
        for path in sorted(folder.rglob("*.swift")):
            code = NOT_CODE.sub(" ", path.read_text())
            self.imports |= set(IMPORT.findall(code))
            parent = path.parent.relative_to(folder)
            room = str(parent) if parent.parts else self.name
            self.code.setdefault(room, {})[path.name] = code

    def arrows(self) -> dict:
        """(using folder, used folder) -> the uses, as (file, type), most used first."""
        declared = collections.defaultdict(set)
        for room, files in self.code.items():
            for code in files.values():
                for found in DECLARATION.finditer(code):
                    if not found["indent"]:
                        declared[found["name"]].add(room)
        homes = {name: next(iter(rooms)) for name, rooms in declared.items() if len(rooms) == 1}
        uses = collections.defaultdict(collections.Counter)
        for room, files in self.code.items():
            for file, code in files.items():
                own = {found["name"] for found in DECLARATION.finditer(code)}
                for name in NAME.findall(code):
                    home = homes.get(name)
                    if home and home != room and name not in own:
                        uses[room, home][file, name] += 1
        return uses


def planned(text: str) -> list:
    """The graphs of the plan: (module, {from: {to}}) for each `mermaid` block that names its module."""
    graphs = []
    for block in re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL):
        title = re.search(r"%% rooms of (\S+)", block)
        if not title:
            continue
        labels = dict(re.findall(r'([\w-]+)\["([^"]+)"\]', block))
        graph = {}
        for line in re.sub(r'\["[^"]+"\]', "", block).splitlines()[1:]:
            if line.strip().startswith("%%"):
                continue
            left, *right = [[labels.get(name.strip(), name.strip()) for name in side.split("&")]
                            for side in line.split("-->")]
            for name in left + sum(right, []):
                graph.setdefault(name, set())
            for name in left:
                graph[name] |= set(sum(right, []))
        graph.pop("", None)
        graphs.append((title[1], graph))
    return graphs


def reach(graph: dict, start: str) -> set:
    seen, waiting = set(), [start]
    while waiting:
        for target in graph.get(waiting.pop(), ()):
            if target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen


def judge(title: str, graph: dict, rooms: set, arrows: dict) -> list:
    faults = [f"{title}: the plan has a circle through {room}" for room in graph if room in reach(graph, room)]
    faults += [f"{title}: {room} is not in the plan" for room in sorted(rooms - set(graph))]
    faults += [f"{title}: the plan has {room}, which does not exist" for room in sorted(set(graph) - rooms)]
    for (left, right), uses in sorted(arrows.items()):
        if right not in reach(graph, left):
            examples = ", ".join(f"{name} in {file}" for (file, name), _ in uses.most_common(4))
            faults.append(f"{title}: {left} uses {right} ({examples}), to which no arrow of the plan leads")
    return faults


def drawn(rooms: set, arrows: dict) -> list:
    """The arrows as lines of `mermaid`, without those that are implied by others."""
    graph = {room: {right for left, right in arrows if left == room} for room in rooms}
    lines = []
    for left in sorted(graph):
        kept = []
        for right in sorted(graph[left]):
            others = {room: (targets - {right} if room == left else targets) for room, targets in graph.items()}
            if right not in reach(others, left):
                kept.append(right)
        lines.append(f"    {node(left)}" + (" --> " + " & ".join(node(right) for right in kept) if kept else ""))
    return lines


def node(room: str) -> str:
    plain = re.sub(r"[^\w-]", "_", room)
    return room if plain == room else f'{plain}["{room}"]'


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the plan, and fail where they differ")
    parser.add_argument("--draw", action="store_true", help="print the arrows as they are in the form of the plan")
    options = parser.parse_args()

    modules = [Module(folder) for folder in sorted(SOURCES.iterdir()) if any(folder.rglob("*.swift"))]
    names = {module.name for module in modules}
    graphs = [("modules", names, {
        (module.name, other): collections.Counter({("import", other): 1})
        for module in modules for other in module.imports & names - {module.name}})]
    graphs += [(module.name, set(module.code), module.arrows()) for module in modules if len(module.code) > 1]

    if options.check:
        plan = dict(planned(PLAN.read_text()))
        faults = []
        for title, rooms, arrows in graphs:
            if title in plan:
                faults += judge(title, plan[title], rooms, arrows)
            else:
                faults.append(f"{title}: not drawn in {PLAN.relative_to(PROJECT)}")
        for fault in faults:
            print(fault, file=sys.stderr)
        return 1 if faults else 0
    for title, rooms, arrows in graphs:
        if options.draw:
            print("```mermaid\nflowchart LR\n    %% rooms of " + title)
            print("\n".join(drawn(rooms, arrows)) + "\n```\n")
            continue
        print(title)
        for (left, right), uses in sorted(arrows.items()):
            mark = "  <-> both ways" if (right, left) in arrows else ""
            print(f"  {left} -> {right}  ({sum(uses.values())}){mark}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
