#!/bin/sh
# Checks every Verilog module on its own, with and without HNIC_CHECKS, and the card at each bus width, with the simulators
# that are there; warnings are errors. A module's children are found by name in the folders of hdl/.
# What was clean once is not checked again until a file of hdl/, this script or a simulator changes.
set -eu
cd "$(dirname "$0")/../hdl"

# The properties of formal/ are in Verilog with assertions, which Yosys alone reads.
files() { find . -path ./formal -prune -o -name "$1" -print; }

folders=$(files '*.v' | xargs -n 1 dirname | sort -u)
libraries=$(for folder in $folders; do echo "-y $folder"; done)
headers=$(files '*.vh' | xargs -n 1 dirname | sort -u | sed 's/^/-I/')
tools=$(for tool in verilator iverilog; do command -v $tool || true; done)
status=0
[ -n "$tools" ] || { echo "lint-hdl: neither verilator nor iverilog is here, so nothing was checked" >&2; exit 2; }

# lint MODULE FILE [PARAMETER=VALUE]
lint() {
    for define in HNIC_CHECKS HNIC_PLAIN; do
        case $tools in *verilator*)
            verilator --lint-only --quiet -Wall --default-language 1364-2005 -D$define ${3:+-G$3} \
                $libraries $headers --top-module "$1" lint/verilator.vlt "$2" || status=1 ;;
        esac
        case $tools in *iverilog*)
            said=$(iverilog -g2005 -Wall -t null -D$define ${3:+-P$1.$3} $libraries $headers -s "$1" "$2" 2>&1) ||
                status=1
            [ -z "$said" ] || { echo "$said" >&2; status=1; } ;;
        esac
    done
}

key=$({
    cat ../.ci/lint-hdl.sh
    for tool in $tools; do ls -lL "$tool"; done
    { files '*.v'; files '*.vh'; files '*.vlt'; } | sort | xargs sha256sum
} | sha256sum | cut -c 1-16)
clean=../build/lint/hdl-$key
[ ! -e "$clean" ] || exit 0

for module in $(files '*.v' | sort); do
    lint "$(basename "$module" .v)" "$module"
done
for width in 64 256 512; do
    lint hnic_top top/hnic_top.v AXI_DATA_W=$width
done
[ $status -ne 0 ] || { mkdir -p ../build/lint && touch "$clean"; }
exit $status
