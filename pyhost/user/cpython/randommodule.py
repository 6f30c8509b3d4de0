"""`_random`: the Mersenne twister, whose default seed comes from the machine's randomness. CPython:
Modules/_randommodule.c.
"""

from __future__ import annotations

import _random
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyhost.user.loader import Interpreter

__all__ = ["make_module"]

_SEED_BITS = 624 * 32
"""As many as CPython takes from getrandom(2)."""


def make_module(interpreter: Interpreter) -> ModuleType:
    """The program's `_random`; one run seed gives one sequence of random numbers."""
    entropy = interpreter.kernel.random

    class Random(_random.Random):
        """_random.Random whose `seed()` without an argument takes the kernel's random bits."""

        def __new__(cls, *_args: Any, **_kwargs: Any) -> Random:
            # The real constructor would seed from the real system unless it is given a seed.
            return super().__new__(cls, 0)  # type: ignore[call-arg]

        def __init__(self, x: Any = None, /) -> None:
            self.seed(x)

        def seed(self, n: Any = None, /) -> None:
            super().seed(entropy.getrandbits(_SEED_BITS) if n is None else n)

    Random.__module__ = "_random"
    Random.__qualname__ = "Random"
    module = ModuleType("_random", _random.__doc__)
    module.__dict__["Random"] = Random
    return module
