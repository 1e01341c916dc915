"""How the code is built: sizes, complexity, imports, names, docstrings.

Run: ``python benchmarks/house.py [ROOT]``; ``--list`` also names what passes a limit. ROOT is a
checkout of the project, this one by default, so that two commits can be set side by side.

Definitions. A function's length counts from its ``def`` to its last line, docstring included.
Complexity is McCabe's: one more than the branches, a comprehension and each further operand of
``and`` and ``or`` being one. The import graph counts imports at the top of modules, with
and without what only a type checker reads; a package stands for its ``__init__``. A name is bare
where it is a single participle or adverb, which leaves open what it names.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

Function = ast.FunctionDef | ast.AsyncFunctionDef

IRREGULAR = """
begun bent bought brought built caught chosen come cut dealt done drawn drawn_on driven fallen
felt forgotten found given gone got grown heard held hidden hung kept known laid learnt left lent
let lost made meant met mistaken paid put read rung risen said seen sent set_ shown shut sold
spent spoken spread stood sought sunk taken taught thought told torn told_of understood wanted won
worn written thrown
"""
ADVERBS = """
about above again ahead alike alone along apart around aside away back before behind below beside
besides between beyond down else enough ever evenly far forth here hence how in_front instead
later least left_over less more most near nearly never next now off often on_top once only
otherwise out over rather same since so some soon still then there therefore thereby thus together
too under up very well when where while yet after afterwards already also always almost beforehand
clearly elsewhere except first_of how_far long longer newly mostly place
"""
REGULAR_NOUNS = """
seed need feed speed weed breed bed red hundred embed shed sled exceed proceed deed reed creed
"""
PRESENT = """
standing missing looking waiting leaving running lasting remaining holding following preceding
resting growing coming going beginning ending keeping making meaning_of knowing
"""


_BARE_WORDS = {*IRREGULAR.split(), *ADVERBS.split(), *PRESENT.split()}
_NOUNS = set(REGULAR_NOUNS.split())


def is_bare(name: str) -> bool:
    """Whether a name is nothing but a participle or an adverb."""
    word = name.strip("_").lower()
    if "_" in word or not word:
        return False
    if word in _BARE_WORDS:
        return True
    return word.endswith("ed") and len(word) > 4 and word not in _NOUNS


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a module binds, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or (
            isinstance(node, ast.ExceptHandler) and node.name
        ):
            yield node.name, node.lineno


class Complexity(ast.NodeVisitor):
    """McCabe's number of one function; functions within it count towards it."""

    def __init__(self) -> None:
        self.value = 1

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        """Each further operand is a branch."""
        self.value += len(node.values) - 1
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """A loop, and a branch for each condition."""
        self.value += 1 + len(node.ifs)
        self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        """Count what branches."""
        branches = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler)
        if isinstance(node, (*branches, ast.Assert, ast.match_case)):
            self.value += 1
        super().generic_visit(node)


def complexity(function: Function) -> int:
    """McCabe's number of a function."""
    visitor = Complexity()
    for statement in function.body:
        visitor.visit(statement)
    return visitor.value


def is_public(function: Function, owner: str | None) -> bool:
    """Whether people call it: neither it nor its class begins with an underscore."""
    return not function.name.startswith("_") and not (owner or "").startswith("_")


class Module:
    """One file of the package."""

    def __init__(self, path: Path, package: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        parts = path.relative_to(package.parent).with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)

    @property
    def lines(self) -> int:
        """Lines of the file."""
        return len(self.text.splitlines())

    def functions(self) -> Iterator[tuple[Function, str | None]]:
        """Functions and methods, with the class that they are of; not those within functions."""
        for node in self.tree.body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node, None
            elif isinstance(node, ast.ClassDef):
                for part in node.body:
                    if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef)):
                        yield part, node.name

    def imports(self, known: set[str], *, for_types: bool = False) -> set[str]:
        """Modules of the package that are imported at the top of this one.

        With ``for_types`` what only a type checker reads counts too.
        """
        result: set[str] = set()
        nodes: list[ast.stmt] = list(self.tree.body)
        while nodes:
            node = nodes.pop()
            if isinstance(node, ast.If) and (
                for_types or "TYPE_CHECKING" not in ast.unparse(node.test)
            ):
                nodes += [*node.body, *node.orelse]
            if not isinstance(node, ast.ImportFrom):
                continue
            base = node.module or ""
            if node.level:
                parts = self.name.split(".")
                parts = parts[: len(parts) - node.level + self.is_package]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                result.add(full if full in known else base)
        return {name for name in result if name in known} - {self.name}


def cycle_sizes(graph: dict[str, set[str]]) -> list[int]:
    """Sizes of the strongly connected components of more than one module."""
    import networkx

    directed = networkx.DiGraph()
    for module, targets in graph.items():
        directed.add_edges_from((module, target) for target in targets)
    return [len(part) for part in networkx.strongly_connected_components(directed) if len(part) > 1]


def depth_of(graph: dict[str, set[str]]) -> int:
    """Modules on the longest chain of imports; 0 where there is a cycle."""
    import networkx

    directed = networkx.DiGraph()
    directed.add_nodes_from(graph)
    for module, targets in graph.items():
        directed.add_edges_from((module, target) for target in targets)
    if not networkx.is_directed_acyclic_graph(directed):
        return 0
    return len(networkx.dag_longest_path(directed))


def parameters(function: Function, owner: str | None) -> list[str]:
    """Names of the parameters, without ``self`` and ``cls``."""
    arguments = function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    static = any(
        isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list
    )
    return names[1:] if owner is not None and not static else names


def is_command(function: Function) -> bool:
    """Whether a function's parameters are told to people as options of the command line."""
    return any(
        isinstance(a.annotation, ast.Subscript)
        and isinstance(a.annotation.value, ast.Name)
        and a.annotation.value.id == "Annotated"
        for a in (*function.args.args, *function.args.kwonlyargs)
    )


def measure(root: Path) -> tuple[dict[str, str], list[str]]:
    """The table's rows, and what passes a limit."""
    package = root / "napari_spinemet"
    modules = [Module(path, package) for path in sorted(package.rglob("*.py"))]
    tests = [p for p in (root / "tests").rglob("*.py") if "fixtures" not in p.parts]
    test_lines = sum(len(p.read_text(encoding="utf-8").splitlines()) for p in tests)
    faults: list[str] = []
    lengths, complexities = [], []
    public = documented = described = with_two = typed = wide = 0
    for module in modules:
        for function, owner in module.functions():
            title = f"{module.name}:{function.lineno} {owner + '.' if owner else ''}{function.name}"
            length = (function.end_lineno or 0) - function.lineno + 1
            lengths.append(length)
            complexities.append(complexity(function))
            names = parameters(function, owner)
            wide += len(names) > 6
            if length > 80:
                faults.append(f"{length} lines: {title}")
            if complexities[-1] > 15:
                faults.append(f"complexity {complexities[-1]}: {title}")
            typed += function.returns is not None or function.name == "__init__"
            if not is_public(function, owner):
                continue
            public += 1
            text = ast.get_docstring(function) or ""
            documented += bool(text)
            if len(names) >= 2 and not is_command(function):
                with_two += 1
                described += "Parameters\n---" in text
                if "Parameters\n---" not in text:
                    faults.append(f"no Parameters section: {title}")
    bound = [(m, name, line) for m in modules for name, line in bound_names(m.tree)]
    bound += [(m, m.path.stem, 0) for m in modules]
    bare = [(m, name, line) for m, name, line in bound if is_bare(name)]
    faults += [f"bare name {name}: {m.name}:{line}" for m, name, line in bare]
    folders = Counter(m.path.parent for m in modules)
    faults += [f"{n} modules: {f.relative_to(root)}" for f, n in folders.items() if n > 15]
    known = {m.name for m in modules}
    graph = {m.name: m.imports(known) for m in modules}
    typed_graph = {m.name: m.imports(known, for_types=True) for m in modules}
    edges, typed_edges = (sum(map(len, g.values())) for g in (graph, typed_graph))
    comments = sum(line.lstrip().startswith("#") for m in modules for line in m.text.splitlines())
    lines = sum(m.lines for m in modules)
    n = len(lengths)
    table = {
        "files, thousand lines": f"{len(modules)}, {lines / 1000:.1f}",
        "file, median and longest": f"{median(m.lines for m in modules):.0f}, "
        f"{max(m.lines for m in modules)}",
        "function, median and longest": f"{median(lengths):.0f}, {max(lengths)}",
        "functions over 60 lines, over 80": f"{share(sum(v > 60 for v in lengths), n)}, "
        f"{sum(v > 80 for v in lengths)}",
        "more than six parameters": share(wide, n),
        "lines of test for each of code": f"{test_lines / lines:.2f}",
        "public functions with a docstring": share(documented, public),
        "with a Parameters section, of those with two or more": share(described, with_two),
        "typed": share(typed, n),
        "comment lines": share(comments, lines),
        "complexity over 10, over 15, largest": f"{share(sum(c > 10 for c in complexities), n)}, "
        f"{sum(c > 15 for c in complexities)}, {max(complexities)}",
        "modules a folder, median and most": f"{median(folders.values()):.0f}, "
        f"{max(folders.values())}",
        "imports: depth, edges a module, cycles": f"{depth_of(graph)}, {edges / len(modules):.2f}, "
        f"{len(cycle_sizes(graph))}",
        "the same with those for types: edges, cycles": f"{typed_edges / len(modules):.2f}, "
        f"{len(cycle_sizes(typed_graph))}",
        "bare participles and adverbs among bound names": f"{100 * len(bare) / len(bound):.2f} % "
        f"({len(bare)} of {len(bound)})",
    }
    return table, faults


def share(part: int, whole: int) -> str:
    """A share in percent."""
    return f"{100 * part / max(whole, 1):.1f} %"


def main() -> None:
    """Print the table, and with ``--list`` what passes a limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1])
    parser.add_argument("--list", action="store_true", help="name what passes a limit")
    arguments = parser.parse_args()
    table, faults = measure(arguments.root)
    width = max(map(len, table))
    for name, value in table.items():
        print(f"{name:<{width}}  {value}")
    if arguments.list:
        print("\n".join(faults))


if __name__ == "__main__":
    main()
