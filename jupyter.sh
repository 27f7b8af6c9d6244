#!/usr/bin/env bash
# Sets Lorabook up where that is needed, then:
#   ./jupyter.sh [lab]   opens JupyterLab with the notebooks
#   ./jupyter.sh demo    trains a LoRA on a tiny embedded model and shows that it learned
#   ./jupyter.sh test    runs the tests (what follows goes to pytest)
#   ./jupyter.sh doctor  looks at this machine and changes nothing
set -euo pipefail

ROOT="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)"

usage() {
    sed -n '2,6s/^# \{0,1\}//p' "$ROOT/jupyter.sh"
}

# The first Python on this machine that is new enough; a name on the PATH may be a stub, so each is tried.
find_python() {
    local name
    for name in "${LORABOOK_PYTHON:-}" python3 python3.11 python3.12 python3.13 python3.10 python; do
        if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    echo "Lorabook needs Python 3.10 or newer, and none was found. Install Python 3.11 (on Debian and Ubuntu also python3-venv)." >&2
    return 1
}

WHAT=lab
case "${1:-}" in
    lab | demo | test | doctor) WHAT="$1"; shift ;;
    -h | --help | help) usage; exit 0 ;;
    "" | -*) ;;
    *) echo "jupyter.sh knows lab, demo, test and doctor, but not '$1'." >&2; usage >&2; exit 2 ;;
esac

PYTHON="$(find_python)"
if [ "$WHAT" = doctor ]; then
    exec "$PYTHON" "$ROOT/installer.py" --doctor "$@"
fi
if [ "$WHAT" = test ]; then
    "$PYTHON" "$ROOT/installer.py" --with dev
else
    "$PYTHON" "$ROOT/installer.py"
fi
PYTHON="$("$PYTHON" "$ROOT/installer.py" --which)"

case "$WHAT" in
    test) cd "$ROOT"; exec "$PYTHON" -m pytest "$@" ;;
    demo) cd "$ROOT"; exec "$PYTHON" -m core demo "$@" ;;
esac

# 127.0.0.1: on a rented machine nobody else reaches the notebooks; the installer has just said how you do.
OPTIONS=(--ip=127.0.0.1 --ServerApp.root_dir="$ROOT")
if [ -f "$ROOT/Dataset_Maker.ipynb" ]; then
    OPTIONS+=(--LabApp.default_url=/lab/tree/Dataset_Maker.ipynb)
fi
if [ "$(id -u)" = 0 ]; then
    OPTIONS+=(--allow-root)
fi
if [ -z "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && [ "$(uname -s)" = Linux ]; then
    OPTIONS+=(--no-browser)
fi
cd "$ROOT"
exec "$PYTHON" -m jupyterlab "${OPTIONS[@]}" "$@"
