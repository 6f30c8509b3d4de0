#!/bin/sh
# Checks every Verilog module on its own with the simulators that are there, warnings as errors.
# A module's children are found by name in the folders of hdl/.
set -eu
cd "$(dirname "$0")/../hdl"

folders=$(find . -name '*.v' -exec dirname {} + | sort -u)
libraries=$(for folder in $folders; do echo "-y $folder"; done)
headers=$(find . -name '*.vh' -exec dirname {} + | sort -u | sed 's/^/-I/')
status=0

for module in $(find . -name '*.v' | sort); do
    if command -v verilator >/dev/null; then
        verilator --lint-only --quiet -Wall --default-language 1364-2005 $libraries $headers \
            --top-module "$(basename "$module" .v)" lint/verilator.vlt "$module" || status=1
    fi
    if command -v iverilog >/dev/null; then
        said=$(iverilog -g2005 -Wall -t null $libraries $headers -s "$(basename "$module" .v)" "$module" 2>&1) ||
            status=1
        [ -z "$said" ] || { echo "$said" >&2; status=1; }
    fi
done
exit $status
