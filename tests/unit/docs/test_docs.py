"""docs/: what the pages name exists, and what they say of the command agrees with the command."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import click
import pytest

from pyhost.cli import cli
from pyhost.kernel.syscall_table import SYSCALLS

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG"))]
PAGES.append(ROOT / "hdl" / "README.md")
WALKS = ("tx-path.md", "rx-path.md")
FILE_ENDINGS = ("v", "vh", "f", "rdl", "py")

FENCE = re.compile(r"^ *```.*?^ *```$", re.M | re.S)
CODE = re.compile(r"`([^`\n]+)`")
SOURCE = re.compile(r"(?:pyhost|tb|hdl|tests|examples)/[\w./]*\w\.(?:py|vh|v|rdl|f)")
FUNCTION = re.compile(rf"({SOURCE.pattern}): ([\w.]+)")
MODULE = re.compile(r"hnic_[a-z0-9_]+")
MODULE_SIGNAL = re.compile(rf"({MODULE.pattern})\.(\w+)")
WAVE = re.compile(r"hnic_tb\.[\w.]+")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
INSTANCE = re.compile(
    r"^ +(hnic_\w+) (?:#\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\) )?(u_\w+|dut) \(", re.M
)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_spans(page: Path) -> list[str]:
    """What stands in backticks outside of fenced blocks."""
    return CODE.findall(FENCE.sub("", read(page)))


# -- the sources -----------------------------------------------------------------------------------


@cache
def definitions(path: str) -> frozenset[str]:
    """Functions, classes, methods and module-level names of a Python file."""
    names: set[str] = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    collect(node.body, f"{prefix}{node.name}.")

    collect(ast.parse(read(ROOT / path)).body, "")
    return frozenset(names)


@cache
def modules() -> dict[str, str]:
    """Verilog module → its text without comments."""
    files = [*ROOT.glob("hdl/*/*.v"), *ROOT.glob("tb/hdl/*.v")]
    texts = (re.sub(r"//.*", "", read(file)) for file in files)
    return {m[1]: text for text in texts for m in re.finditer(r"^module (\w+)", text, re.M)}


def has_signal(module: str, name: str) -> bool:
    """Whether a port, wire or register of this name is declared in the module."""
    declaration = rf"\b(?:input|output|wire|reg)\b[^;()]*?\b{name}\b"
    return re.search(declaration, modules().get(module, "")) is not None


def wave_exists(path: str) -> bool:
    """Whether a path such as hnic_tb.dut.u_txq.tail_q leads, from instance to instance, to a signal
    or an instance.
    """
    module, *instances, last = path.split(".")
    for instance in instances:
        inside = instances_in(module)
        if instance not in inside:
            return False
        module = inside[instance]
    return last in instances_in(module) or has_signal(module, last)


def instances_in(module: str) -> dict[str, str]:
    """Instance → module, for what is instantiated in a module."""
    return {name: of for of, name in INSTANCE.findall(_joined(module))}


@cache
def _joined(module: str) -> str:
    """The module's text with each instantiation on one line."""
    return re.sub(r"(#\([^;]*?\n *\)) (u_\w+|dut) \(", _on_one_line, modules()[module])


def _on_one_line(match: re.Match[str]) -> str:
    return f"{' '.join(match[1].split())} {match[2]} ("


# -- the pages name what exists --------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_source_file_that_a_page_names_exists(page: Path) -> None:
    named = {path for span in code_spans(page) for path in SOURCE.findall(span)}
    assert {path for path in named if not (ROOT / path).is_file()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_function_that_a_page_names_is_in_its_file(page: Path) -> None:
    named = {match for span in code_spans(page) for match in FUNCTION.findall(span)}
    assert {(file, name) for file, name in named if name not in definitions(file)} == set()


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_names_functions_all_the_way(walk: str) -> None:
    named = [match for span in code_spans(DOCS / walk) for match in FUNCTION.findall(span)]
    assert len(named) > 15


@pytest.mark.parametrize("walk", WALKS)
def test_the_steps_of_a_walk_are_numbered_without_a_gap(walk: str) -> None:
    numbers = [int(n) for n in re.findall(r"^\*\*(\d+)\. ", read(DOCS / walk), re.M)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 10


def test_every_tracepoint_of_the_walks_is_in_the_code() -> None:
    hits = {
        name
        for file in (ROOT / "pyhost").rglob("*.py")
        for name in re.findall(r'trace\.hit\(\s*"(\w+)"', read(file))
    }
    text = "".join(read(DOCS / walk) for walk in WALKS)
    named = set(re.findall(r"\*Trace:\* `(\w+)`", text))
    assert len(named) > 15
    assert named - hits == set()


def linux_map_rows() -> list[tuple[str, str]]:
    """(file, function) for every row and every entry of a "same name" list in docs/linux-map.md."""
    rows = []
    for section in re.split(r"^### ", read(DOCS / "linux-map.md"), flags=re.M)[1:]:
        title, _, body = section.partition("\n")
        file = title.strip().strip("`")
        same = re.search(r"^Same name: (.*?)\.$", body, re.M | re.S)
        names = re.findall(r"`([\w.]+)`", same[1]) if same else []
        names += re.findall(r"^\| `([\w.]+)` \|", body, re.M)
        rows += [(file, name) for name in names]
    return rows


def test_every_function_of_the_linux_map_is_in_its_file() -> None:
    rows = linux_map_rows()
    assert len(rows) > 500
    missing = {(file, name) for file, name in rows if name not in definitions(file)}
    assert missing == set()


def test_the_linux_map_has_the_main_path() -> None:
    rows = {name for _, name in linux_map_rows()}
    main_path = """
        Kernel.syscall ksys_write vfs_write new_sync_write sock_write_iter sock_sendmsg
        inet_sendmsg tcp_sendmsg tcp_sendmsg_locked tcp_write_xmit tcp_transmit_skb
        ip_queue_xmit ip_local_out ip_output ip_finish_output ip_finish_output2 neigh_output
        dev_queue_xmit dev_xmit_skb sch_direct_xmit validate_xmit_skb dev_hard_start_xmit xmit_one
        hnic_xmit_frame_ring _tx_map dma_map_single skb_frag_dma_map dma_wmb BusDevice.writel
        IrqController.do_irq napi_schedule Softnet._net_rx_action HnicAdapter._poll_tx
        hnic_clean_tx_irq dma_unmap_single consume_skb tcp_wfree
        ip_rcv tcp_v4_rcv tcp_rcv_established tcp_ack
    """
    assert set(main_path.split()) - rows == set()


# -- Verilog ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verilog_module_and_signal_that_a_page_names_exists(page: Path) -> None:
    waves = {span for span in code_spans(page) if WAVE.fullmatch(span)}
    signals = {
        (match[1], match[2])
        for span in code_spans(page)
        if (match := MODULE_SIGNAL.fullmatch(span)) and match[2] not in FILE_ENDINGS
    } - {tuple(path.split(".", 1)) for path in waves}
    assert {path for path in waves if not wave_exists(path)} == set()
    assert {(of, name) for of, name in signals if not has_signal(of, name)} == set()


def test_every_module_of_the_card_is_in_a_walk_or_has_no_part_in_it() -> None:
    aside = {
        "hnic_arb", "hnic_axi_check", "hnic_core", "hnic_csr", "hnic_csr_rss", "hnic_fifo",
        "hnic_gmii_rx", "hnic_gmii_tx", "hnic_skid", "hnic_soft_reset", "hnic_stats",
    }  # fmt: skip
    card = {file.stem for file in ROOT.glob("hdl/*/hnic_*.v")}
    named = {name for walk in WALKS for name in MODULE.findall(read(DOCS / walk))}
    assert card - aside - named == set()


def test_the_modules_in_the_steps_and_the_picture_of_the_walk_exist() -> None:
    walk = DOCS / "tx-path.md"
    picture = set(MODULE.findall(read(walk).split("```")[3]))
    steps = {span for span in code_spans(walk) if MODULE.fullmatch(span)}
    assert len(picture) > 10
    assert len(steps) > 10
    assert (picture | steps) - set(modules()) == set()


# -- the command, the claims, the links ------------------------------------------------------------


def readme_options() -> dict[str, str]:
    """Option → its default, from the table in README.md."""
    table = re.search(r"^\| option \|.*?(?=^$)", read(ROOT / "README.md"), re.M | re.S)
    assert table is not None
    options: dict[str, str] = {}
    for row in table[0].splitlines()[2:]:
        cell, _, default = re.split(r"(?<!\\)\|", row.strip("|"))
        names = re.findall(r"--[\w-]+", cell)
        values = re.findall(r"`([^`]+)`", default) or [default.strip()]
        options |= dict(zip(names, values, strict=True))
    return options


def test_the_readme_lists_exactly_the_options_of_pyhost_run() -> None:
    run = cli.commands["run"]
    declared = {o for p in run.params if isinstance(p, click.Option) for o in p.opts}
    assert set(readme_options()) == declared


def test_the_defaults_in_the_readme_are_those_of_pyhost_run() -> None:
    help_text = " ".join(cli.commands["run"].get_help(click.Context(cli.commands["run"])).split())
    for option, default in readme_options().items():
        shown = re.search(rf"{option} .*?\[default: ([^\]]*)\]", help_text)
        if option in ("--mtu", "--delay", "--link-rate", "--seed", "--out"):
            assert shown is not None
            assert shown[1].split("; ")[0] == default


def test_the_design_page_lists_exactly_the_system_calls() -> None:
    names = re.search(r"^Names:\n+```\n(.*?)```", read(DOCS / "design.md"), re.M | re.S)
    assert names is not None
    assert sorted(names[1].split()) == sorted(SYSCALLS)


def test_the_claims_are_s01_to_s48() -> None:
    ids = re.findall(r"^\| (S\d\d) \|", read(DOCS / "claims.md"), re.M)
    assert ids == [f"S{n:02}" for n in range(1, 49)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    targets = [t.partition("#")[0] for t in LINK.findall(FENCE.sub("", read(page)))]
    local = [t for t in targets if t and "://" not in t]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_every_page_is_in_the_index() -> None:
    linked = {t for t in LINK.findall(read(DOCS / "README.md")) if "/" not in t}
    assert linked == {page.name for page in DOCS.glob("*.md")} - {"README.md"}
