"""Entering the kernel: dispatch, and what goes wrong inside."""

from __future__ import annotations

import pytest

from pyhost.kernel.bug import KernelBug, KernelPanic
from pyhost.kernel.sched import Task
from pyhost.uapi.errno import ENOSYS
from tests.unit.support import Program, make_kernel, run_in_process


def fail_with(error: Exception):
    def sys_boom(_task: Task) -> int:
        raise error

    return sys_boom


def test_an_unknown_system_call_is_enosys():
    assert run_in_process(make_kernel(), lambda program: program("frobnicate")) == -ENOSYS


def test_a_bug_inside_is_kept_even_when_the_program_catches_it():
    kernel = make_kernel()
    panic = KernelPanic("skb_over_panic")
    kernel.syscalls = {"boom": fail_with(panic)}

    def careless(program: Program) -> str:
        try:
            program("boom")
        except Exception:
            return "went on"
        return "no error"

    assert run_in_process(kernel, careless) == "went on"
    assert kernel.oops is panic


def test_any_other_exception_inside_is_an_oops_of_the_kernel():
    kernel = make_kernel()
    kernel.syscalls = {"boom": fail_with(KeyError("x"))}
    with pytest.raises(KernelBug, match=r"Oops in sys_boom: KeyError: 'x'"):
        run_in_process(kernel, lambda program: program("boom"))
    assert isinstance(kernel.oops, KernelBug)


def test_only_the_first_oops_is_kept():
    kernel = make_kernel()
    first, second = KernelBug("first"), KernelBug("second")
    kernel.syscalls = {"one": fail_with(first), "two": fail_with(second)}

    def careless(program: Program) -> None:
        for name in ("one", "two"):
            with pytest.raises(KernelBug):
                program(name)

    run_in_process(kernel, careless)
    assert kernel.oops is first
