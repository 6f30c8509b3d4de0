#!/bin/sh
# Runs the compiler command it is given, but compiles Verilator's own sources only once for each set of flags: every build needs
# the same objects, and they take most of its time. The objects are kept in build/objects. (Verilator's makefile calls this
# through its variable OBJCACHE.)
set -eu

for argument; do source=$argument; done
case $source in
    */verilator/include/verilated*.cpp) ;;
    *) exec "$@" ;;
esac

object= previous=
for argument; do
    [ "$previous" != -o ] || object=$argument
    previous=$argument
done
[ -n "$object" ] || exec "$@"

include=${source%/*}
key=$({
    printf '%s\n' "$@"
    "$1" --version
    cat "$source" "$include/verilated.h" "$include/verilated_config.h"
} | sha256sum | cut -c 1-16)
kept=$(dirname "$0")/../build/objects/${object%.o}-$key.o
if [ ! -e "$kept" ]; then
    "$@"
    mkdir -p "${kept%/*}"
    cp "$object" "$kept.$$"
    mv "$kept.$$" "$kept"
fi
cp "$kept" "$object"
