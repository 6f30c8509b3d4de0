"""`python -m pyhost`: the `pyhost` command without its launcher."""

from __future__ import annotations

from pyhost.cli import main

if __name__ == "__main__":
    main()
