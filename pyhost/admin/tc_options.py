"""The options of each queueing discipline as `tc` reads and prints them. iproute2: tc/q_*.c."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from pyhost.admin.errors import CommandError
from pyhost.admin.ip_words import Words
from pyhost.admin.tc_units import (
    show_rate,
    show_size,
    show_time,
    whole,
    word_to_rate,
    word_to_size,
    word_to_us,
)
from pyhost.net.core.sock import SK_PACING_UNLIMITED

__all__ = ["KINDS", "read_options", "show_options", "show_stats"]

Read = Callable[[Words, dict[str, Any]], None]

USEC_PER_SEC = 1_000_000
PRIORITIES = 16


# -- reading ---------------------------------------------------------------------------------------


def _value(key: str, read: Callable[[str, str], int]) -> Read:
    def take(words: Words, options: dict[str, Any]) -> None:
        options[key] = read(words.next(), key)

    return take


def _flag(key: str, value: bool) -> Read:
    def take(_: Words, options: dict[str, Any]) -> None:
        options[key] = value

    return take


def _several(key: str, most: int) -> Read:
    """Numbers up to the next word that is none."""

    def take(words: Words, options: dict[str, Any]) -> None:
        found: list[int] = []
        while len(found) < most and words.peek().isdigit():
            found.append(int(words.next()))
        options[key] = tuple(found)

    return take


def _slack(words: Words, options: dict[str, Any]) -> None:
    options["timer_slack"] = word_to_us(words.next(), "timer_slack") * 1000


_TBF: Mapping[str, Read] = MappingProxyType({
    "rate": _value("rate", word_to_rate),
    "burst": _value("burst", word_to_size),
    "buffer": _value("burst", word_to_size),
    "maxburst": _value("burst", word_to_size),
    "limit": _value("limit", word_to_size),
    "latency": _value("latency", word_to_us),
    "peakrate": _value("peakrate", word_to_rate),
    "mtu": _value("mtu", word_to_size),
    "minburst": _value("mtu", word_to_size),
})  # fmt: skip

_FQ: Mapping[str, Read] = MappingProxyType({
    "limit": _value("limit", whole),
    "flow_limit": _value("flow_limit", whole),
    "buckets": _value("buckets", whole),
    "orphan_mask": _value("orphan_mask", whole),
    "quantum": _value("quantum", word_to_size),
    "initial_quantum": _value("initial_quantum", word_to_size),
    "maxrate": _value("maxrate", word_to_rate),
    "low_rate_threshold": _value("low_rate_threshold", word_to_rate),
    "refill_delay": _value("refill_delay", word_to_us),
    "ce_threshold": _value("ce_threshold", word_to_us),
    "timer_slack": _slack,
    "horizon": _value("horizon", word_to_us),
    "horizon_cap": _flag("horizon_drop", False),
    "horizon_drop": _flag("horizon_drop", True),
    "pacing": _flag("pacing", True),
    "nopacing": _flag("pacing", False),
    "priomap": _several("priomap", PRIORITIES),
    "weights": _several("weights", 3),
})  # fmt: skip

_FQ_CODEL: Mapping[str, Read] = MappingProxyType({
    "limit": _value("limit", whole),
    "flows": _value("flows", whole),
    "quantum": _value("quantum", whole),
    "target": _value("target", word_to_us),
    "interval": _value("interval", word_to_us),
    "ce_threshold": _value("ce_threshold", word_to_us),
    "memory_limit": _value("memory_limit", word_to_size),
    "drop_batch": _value("drop_batch_size", whole),
    "ecn": _flag("ecn", True),
    "noecn": _flag("ecn", False),
})  # fmt: skip

KINDS: Mapping[str, Mapping[str, Read]] = MappingProxyType({
    "pfifo_fast": {},
    "noqueue": {},
    "mq": {},
    "pfifo": {"limit": _value("limit", whole)},
    "bfifo": {"limit": _value("limit", word_to_size)},
    "prio": {"bands": _value("bands", whole), "priomap": _several("priomap", PRIORITIES)},
    "tbf": _TBF,
    "fq": _FQ,
    "fq_codel": _FQ_CODEL,
})  # fmt: skip


def read_options(kind: str, words: Words) -> dict[str, Any]:
    """The rest of the line as options of a discipline; CommandError for what it does not have."""
    table = KINDS.get(kind)
    if table is None:
        raise CommandError(f'Unknown qdisc "{kind}", hence option parsing is impossible')
    options: dict[str, Any] = {}
    while words:
        word = words.next()
        read = table.get(word)
        if read is None:
            raise CommandError(
                f'What is "{word}"? (options of {kind}: {" ".join(table) or "none"})'
            )
        read(words, options)
    if kind == "tbf" and options:
        _complete_tbf(options)
    return options


def _complete_tbf(options: dict[str, Any]) -> None:
    """The limit that belongs to a latency: what comes in that time beside the burst. iproute2:
    tbf_parse_opt.
    """
    if not options.get("rate") or not options.get("burst"):
        raise CommandError('Both "rate" and "burst" are required.')
    if options.get("peakrate") and not options.get("mtu"):
        raise CommandError('"mtu" is required, if "peakrate" is requested.')
    latency = options.pop("latency", None)
    if "limit" in options and latency is not None:
        raise CommandError('Only one of "limit" and "latency" is allowed.')
    if "limit" not in options:
        if latency is None:
            raise CommandError('Either "limit" or "latency" is required.')
        limit = options["rate"] * latency // USEC_PER_SEC + options["burst"]
        if options.get("peakrate"):
            peak = options["peakrate"] * latency // USEC_PER_SEC + options["mtu"]
            limit = min(limit, peak)
        options["limit"] = limit


# -- printing --------------------------------------------------------------------------------------


def _map(priomap: tuple[int, ...]) -> str:
    return " ".join(map(str, priomap))


def _show_prio(options: Mapping[str, Any]) -> str:
    return f"bands {options['bands']} priomap {_map(options['priomap'])}"


def _show_tbf(options: Mapping[str, Any]) -> str:
    rate, burst = options["rate"], options["burst"]
    latency = (options["limit"] - burst) * USEC_PER_SEC // rate
    peak = ""
    if options["peakrate"]:
        peak = f" peakrate {show_rate(options['peakrate'])} minburst {show_size(options['mtu'])}"
        at_peak = (options["limit"] - options["mtu"]) * USEC_PER_SEC // options["peakrate"]
        latency = max(latency, at_peak)
    end = f"lat {show_time(latency)}" if latency >= 0 else f"limit {show_size(options['limit'])}"
    return f"rate {show_rate(rate)} burst {show_size(burst)}{peak} {end}"


def _show_fq(options: Mapping[str, Any]) -> str:
    text = (
        f"limit {options['limit']}p flow_limit {options['flow_limit']}p"
        f" buckets {options['buckets']} orphan_mask {options['orphan_mask']}"
        f" bands 3 priomap {_map(options['priomap'])} weights {_map(options['weights'])}"
    )
    if not options["pacing"]:
        text += " nopacing"
    text += f" quantum {options['quantum']}b initial_quantum {options['initial_quantum']}b"
    if options["maxrate"] != SK_PACING_UNLIMITED:
        text += f" maxrate {show_rate(options['maxrate'])}"
    text += (
        f" low_rate_threshold {show_rate(options['low_rate_threshold'])}"
        f" refill_delay {show_time(options['refill_delay'])}"
    )
    if "ce_threshold" in options:
        text += f" ce_threshold {show_time(options['ce_threshold'])}"
    end = "horizon_drop" if options["horizon_drop"] else "horizon_cap"
    slack = show_time(options["timer_slack"] // 1000)
    return f"{text} timer_slack {slack} horizon {show_time(options['horizon'])} {end}"


def _show_fq_codel(options: Mapping[str, Any]) -> str:
    text = (
        f"limit {options['limit']}p flows {options['flows']} quantum {options['quantum']}"
        f" target {show_time(options['target'])}"
    )
    if "ce_threshold" in options:
        text += f" ce_threshold {show_time(options['ce_threshold'])}"
    text += f" interval {show_time(options['interval'])}"
    text += f" memory_limit {show_size(options['memory_limit'])}"
    if options["ecn"]:
        text += " ecn"
    return f"{text} drop_batch {options['drop_batch_size']}"


_SHOW: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType({
    "pfifo": lambda options: f"limit {options['limit']}p",
    "bfifo": lambda options: f"limit {show_size(options['limit'])}",
    "pfifo_fast": _show_prio,
    "prio": _show_prio,
    "tbf": _show_tbf,
    "fq": _show_fq,
    "fq_codel": _show_fq_codel,
})  # fmt: skip


def show_options(kind: str, options: Mapping[str, Any]) -> str:
    """The options in force, as `tc qdisc show` prints them."""
    show = _SHOW.get(kind)
    return show(options) if show is not None else ""


def show_stats(kind: str, stats: Mapping[str, int]) -> str:
    """What the discipline counts itself, one indented line; empty when there is nothing."""
    if kind == "fq":
        head = f"  flows {stats['flows']} (inactive {stats['inactive']} throttled "
        head += f"{stats['throttled_flows']})\n"
        rest = {
            name: value
            for name, value in stats.items()
            if name not in ("flows", "inactive", "throttled_flows")
        }
        return f"{head}  {' '.join(f'{name} {value}' for name, value in rest.items())}\n"
    return f"  {' '.join(f'{name} {value}' for name, value in stats.items())}\n" if stats else ""
