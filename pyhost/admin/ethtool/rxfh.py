"""`ethtool -x`, `-X`: how flows are spread over receive queues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyhost.admin.errors import CommandError
from pyhost.admin.ethtool.params import no_more
from pyhost.admin.ip_words import STRERROR
from pyhost.net.core.ethtool import ethtool_set_rxfh
from pyhost.uapi.errno import EOPNOTSUPP

if TYPE_CHECKING:
    from pyhost.admin.ip_words import Words
    from pyhost.net.core.ethtool import EthtoolRxfh
    from pyhost.net.core.netdevice import NetDevice

__all__ = ["change", "show"]

_A_ROW = 8


def _flows(dev: NetDevice) -> EthtoolRxfh:
    ops = dev.ethtool_ops
    flows = None if ops is None else ops.get_rxfh(dev)
    if flows is None:
        raise CommandError(f"Cannot get RX ring count: {STRERROR[EOPNOTSUPP]}")
    return flows


def show(dev: NetDevice, words: Words) -> str:
    """ethtool: do_grxfh, print_indir_table."""
    no_more(words)
    flows = _flows(dev)
    title = f"RX flow hash indirection table for {dev.name}"
    lines = [f"{title} with {dev.real_num_rx_queues} RX ring(s):"]
    for index in range(0, len(flows.indir), _A_ROW):
        row = "".join(f" {queue:5}" for queue in flows.indir[index : index + _A_ROW])
        lines.append(f"{index:5}: {row}")
    lines += ["RSS hash key:", flows.key.hex(":")]
    lines += ["RSS hash function:", "    toeplitz: on", "    xor: off", "    crc32: off"]
    return "\n".join(lines) + "\n"


def change(dev: NetDevice, words: Words) -> str:
    """ethtool: do_srxfh."""
    flows = _flows(dev)
    indir: list[int] | None = None
    key: bytes | None = None
    start = 0
    weights: list[int] = []
    equal = 0
    while words:
        word = words.next()
        if word == "hkey":
            key = _key(words.next(), len(flows.key))
        elif word == "start":
            start = _number(words.next())
        elif word == "equal":
            equal = _number(words.next())
        elif word == "weight":
            while words and words.peek().isdigit():
                weights.append(int(words.next()))
        elif word == "default":
            indir = []
        else:
            raise CommandError(f"ethtool: bad command line argument(s): {word}")
    if equal and weights:
        raise CommandError("Equal and weight options are mutually exclusive")
    if equal:
        indir = [start + index % equal for index in range(len(flows.indir))]
    elif weights:
        indir = _weighted(weights, start, len(flows.indir))
    error = ethtool_set_rxfh(dev, indir, key)
    if error:
        text = STRERROR.get(-error, f"error {-error}")
        raise CommandError(f"Cannot set RX flow hash configuration: {text}")
    return ""


def _number(word: str) -> int:
    if not word.isdigit():
        raise CommandError(f"ethtool: bad command line argument(s): {word}")
    return int(word)


def _weighted(weights: list[int], start: int, size: int) -> list[int]:
    """ethtool: fill_indir_table."""
    total = sum(weights)
    if not total:
        raise CommandError("At least one weight must be non-zero")
    if total > size:
        raise CommandError("Total weight exceeds the size of the indirection table")
    table: list[int] = []
    partial = 0
    for queue, weight in enumerate(weights, start):
        partial += weight
        table += [queue] * (-(-size * partial // total) - len(table))
    return table[:size]


def _key(text: str, size: int) -> bytes:
    """ethtool: parse_hkey."""
    try:
        key = bytes(int(part, 16) for part in text.split(":"))
    except ValueError:
        raise CommandError("Invalid RSS hash key format") from None
    if len(key) > size:
        raise CommandError(f"Key is too long for device ({len(key)} > {size})")
    if len(key) < size:
        raise CommandError(f"Key is too short for device ({len(key)} < {size})")
    return key
