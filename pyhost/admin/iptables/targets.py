"""The syntax of the targets.

iptables: extensions/libipt_REJECT, libxt_LOG, libxt_TOS, libxt_DSCP, libipt_TTL, libxt_CT,
libxt_TCPMSS. Those that mark are in targets_mark.py, those that translate in targets_nat.py.
"""

from __future__ import annotations

from types import MappingProxyType

from pyhost.admin.iptables.matches import parse_dscp, parse_dscp_class, parse_tos
from pyhost.admin.iptables.syntax import Option, Syntax, Values, words
from pyhost.admin.iptables.targets_mark import MARK_SYNTAXES
from pyhost.admin.iptables.targets_nat import NAT_SYNTAXES
from pyhost.admin.iptables.words import bad, parse_number
from pyhost.net.netfilter.ipt_reject import REJECT_WITH, TCP_RESET, RejectTarget
from pyhost.net.netfilter.nf_log import (
    NF_LOG_IPOPT,
    NF_LOG_TCPOPT,
    NF_LOG_TCPSEQ,
    NF_LOG_UID,
    LogTarget,
)
from pyhost.net.netfilter.nf_nat_core import NfNatRange
from pyhost.net.netfilter.x_tables import XtTarget
from pyhost.net.netfilter.xt_target import (
    DscpTarget,
    NotrackTarget,
    TosTarget,
    TtlTarget,
)
from pyhost.net.netfilter.xt_tcpmss import TcpmssTarget
from pyhost.uapi.ip import IPPROTO_TCP, IPPROTO_UDP

__all__ = ["SYNTAXES", "protocols_of"]

# -- REJECT, LOG -----------------------------------------------------------------------------------

REJECT_SHORT = MappingProxyType(
    {
        "net-unreach": "icmp-net-unreachable",
        "host-unreach": "icmp-host-unreachable",
        "proto-unreach": "icmp-proto-unreachable",
        "port-unreach": "icmp-port-unreachable",
        "net-prohib": "icmp-net-prohibited",
        "host-prohib": "icmp-host-prohibited",
        "admin-prohib": "icmp-admin-prohibited",
        "tcp-rst": TCP_RESET,
    }
)


def _parse_reject(text: str) -> str:
    known = (*REJECT_WITH, TCP_RESET)
    if text in REJECT_SHORT:
        return REJECT_SHORT[text]
    found = [name for name in known if text and name.startswith(text)]
    if text not in known and len(found) != 1:
        raise bad(f'unknown reject type "{text}"')
    return text if text in known else found[0]


LOG_LEVELS = (
    "emerg", "alert", "crit", "error", "warning", "notice", "info", "debug",
)  # fmt: skip
LOG_ALIASES = MappingProxyType({"panic": 0, "err": 3, "warn": 4})
LOG_FLAGS = MappingProxyType(
    {
        "log-tcp-sequence": NF_LOG_TCPSEQ,
        "log-tcp-options": NF_LOG_TCPOPT,
        "log-ip-options": NF_LOG_IPOPT,
        "log-uid": NF_LOG_UID,
    }
)
LOG_PREFIX_MAX = 29


def _parse_level(text: str) -> int:
    name = text.lower()
    if name in LOG_LEVELS:
        return LOG_LEVELS.index(name)
    if name in LOG_ALIASES:
        return LOG_ALIASES[name]
    if text.isdigit() and int(text) < len(LOG_LEVELS):
        return int(text)
    raise bad(f'log-level: unknown level "{text}"')


def _parse_prefix(text: str) -> str:
    if len(text) > LOG_PREFIX_MAX:
        raise bad(f"Maximum prefix length {LOG_PREFIX_MAX} for --log-prefix")
    if "\n" in text:
        raise bad("Newlines not allowed in --log-prefix")
    return text


def _build_log(values: Values) -> LogTarget:
    flags = sum(bit for name, bit in LOG_FLAGS.items() if values.get(name))
    return LogTarget(
        level=values.get("log-level", 4), prefix=values.get("log-prefix", ""), flags=flags
    )


def _save_log(target: LogTarget) -> list[str]:
    found = words("log-prefix", target.prefix) if target.prefix else []
    if target.level != 4:
        found += words("log-level", target.level)
    return found + [f"--{name}" for name, bit in LOG_FLAGS.items() if target.flags & bit]


def _show_log(target: LogTarget, numeric: bool) -> str:
    if numeric:
        text = f"LOG flags {target.flags} level {target.level}"
    else:
        text = f"LOG level {LOG_LEVELS[target.level]}"
        names = {"log-tcp-sequence": "tcp-sequence", "log-tcp-options": "tcp-options",
                 "log-ip-options": "ip-options", "log-uid": "uid"}  # fmt: skip
        text += "".join(f" {names[name]}" for name, bit in LOG_FLAGS.items() if target.flags & bit)
    return text + (f' prefix "{target.prefix}"' if target.prefix else "")


# -- TOS, DSCP, TTL, CT, TCPMSS --------------------------------------------------------------------


def _build_tos(values: Values) -> TosTarget:
    name = values.need("set-tos", "and-tos", "or-tos", "xor-tos")
    value = values.get(name)
    if name == "set-tos":
        tos, mask = value
        return TosTarget(value=tos, mask=mask)
    change = {
        "and-tos": (0, ~value & 0xFF), "or-tos": (value, value), "xor-tos": (value, 0)
    }  # fmt: skip
    tos, mask = change[name]
    return TosTarget(value=tos, mask=mask)


def _parse_byte(text: str) -> int:
    return parse_number(text, "tos", 0, 255)


def _build_dscp(values: Values) -> DscpTarget:
    return DscpTarget(value=values.get(values.need("set-dscp", "set-dscp-class")))


def _parse_ttl(text: str) -> int:
    return parse_number(text, "ttl", 0, 255)


def _build_ttl(values: Values) -> TtlTarget:
    name = values.need("ttl-set", "ttl-inc", "ttl-dec")
    if name != "ttl-set" and not values.get(name):
        raise bad("TTL: increment/decrement value must be nonzero")
    return TtlTarget(mode=name.removeprefix("ttl-"), value=values.get(name))


def _show_ttl(target: TtlTarget, numeric: bool) -> str:
    verb = {"set": "set to", "inc": "increment by", "dec": "decrement by"}[target.mode]
    return f"TTL {verb} {target.value}"


def _build_ct(values: Values) -> NotrackTarget:
    values.need("notrack")
    return NotrackTarget()


def _build_tcpmss(values: Values) -> TcpmssTarget:
    name = values.need("set-mss", "clamp-mss-to-pmtu")
    return TcpmssTarget(mss=values.get("set-mss") if name == "set-mss" else None)


def _save_tcpmss(target: TcpmssTarget) -> list[str]:
    return ["--clamp-mss-to-pmtu"] if target.mss is None else words("set-mss", target.mss)


def _show_tcpmss(target: TcpmssTarget, numeric: bool) -> str:
    return "TCPMSS clamp to PMTU" if target.mss is None else f"TCPMSS set {target.mss}"


SYNTAXES = (
    *MARK_SYNTAXES,
    *NAT_SYNTAXES,
    Syntax(
        "REJECT",
        (Option("reject-with", 1, _parse_reject),),
        lambda values: RejectTarget(how=values.get("reject-with", "icmp-port-unreachable")),
        lambda t: words("reject-with", t.how),
        lambda t, _: f"reject-with {t.how}",
    ),
    Syntax(
        "LOG",
        (
            Option("log-level", 1, _parse_level),
            Option("log-prefix", 1, _parse_prefix),
            *(Option(name, 0) for name in LOG_FLAGS),
        ),
        _build_log,
        _save_log,
        _show_log,
    ),
    Syntax(
        "TOS",
        (
            Option("set-tos", 1, parse_tos),
            *(Option(name, 1, _parse_byte) for name in ("and-tos", "or-tos", "xor-tos")),
        ),
        _build_tos,
        lambda t: words("set-tos", f"0x{t.value:02x}/0x{t.mask:02x}"),
        lambda t, _: f"TOS set 0x{t.value:02x}/0x{t.mask:02x}",
    ),
    Syntax(
        "DSCP",
        (Option("set-dscp", 1, parse_dscp), Option("set-dscp-class", 1, parse_dscp_class)),
        _build_dscp,
        lambda t: words("set-dscp", f"0x{t.value:02x}"),
        lambda t, _: f"DSCP set 0x{t.value:02x}",
    ),
    Syntax(
        "TTL",
        tuple(Option(name, 1, _parse_ttl) for name in ("ttl-set", "ttl-inc", "ttl-dec")),
        _build_ttl,
        lambda t: words(f"ttl-{t.mode}", t.value),
        _show_ttl,
    ),
    Syntax(
        "CT",
        (Option("notrack", 0),),
        _build_ct,
        lambda _: ["--notrack"],
        lambda _t, _n: "CT notrack",
    ),
    Syntax("NOTRACK", (), lambda _: NotrackTarget(), lambda _: [], lambda _t, _n: "CT notrack"),
    Syntax(
        "TCPMSS",
        (
            Option("set-mss", 1, lambda text: parse_number(text, "set-mss", 0, 0xFFFF - 40)),
            Option("clamp-mss-to-pmtu", 0),
        ),
        _build_tcpmss,
        _save_tcpmss,
        _show_tcpmss,
        (IPPROTO_TCP,),
    ),
)


def protocols_of(target: XtTarget) -> tuple[int, ...]:
    """What `-p` must be for a target as it is written: ports need a protocol that has them, a RST
    needs TCP.
    """
    allowed = getattr(target, "range", None)
    if isinstance(allowed, NfNatRange) and allowed.ports is not None:
        return (IPPROTO_TCP, IPPROTO_UDP)
    if isinstance(target, RejectTarget) and target.how == TCP_RESET:
        return (IPPROTO_TCP,)
    return ()
