#!/usr/bin/env bash
# Sets Lorabook up where that is needed, then:
#   ./jupyter.sh [lab]     opens JupyterLab with the notebooks; on a rented machine that runs one already, says how to use that
#   ./jupyter.sh demo      trains a LoRA on a tiny embedded model and shows that it learned
#   ./jupyter.sh core ...  the command line: ./jupyter.sh core --help
#   ./jupyter.sh test      runs the tests (what follows goes to pytest)
#   ./jupyter.sh doctor    looks at this machine and changes nothing
set -euo pipefail

ROOT="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd)"

usage() {
    sed -n '2,7s/^# \{0,1\}//p' "$ROOT/jupyter.sh"
}

# Whether a Python is between two versions, each two numbers; a name on the PATH may be a stub, so it is tried.
is_between() {
    "$1" -c "import sys; sys.exit(not ($2) <= sys.version_info[:2] <= ($3))" 2>/dev/null
}

# The one that a person names, else the first on this machine for which all packages are made. python3 comes first: it is the one
# of an active environment, and of Colab.
find_python() {
    local name found=""
    if [ -n "${LORABOOK_PYTHON:-}" ]; then
        if is_between "$LORABOOK_PYTHON" "3, 10" "4, 0"; then
            printf '%s\n' "$LORABOOK_PYTHON"
            return 0
        fi
        echo "LORABOOK_PYTHON is $LORABOOK_PYTHON, which does not run or is older than Python 3.10." >&2
        echo "What to do: name another one, or forget it: unset LORABOOK_PYTHON" >&2
        return 1
    fi
    for name in python3 python3.13 python3.12 python3.11 python3.10 python; do
        if is_between "$name" "3, 10" "3, 13"; then
            printf '%s\n' "$name"
            return 0
        fi
        found="${found:-$("$name" -c 'import sys; print(f"; '"$name"' is {sys.version_info[0]}.{sys.version_info[1]}")' 2>/dev/null || true)}"
    done
    echo "Lorabook needs Python 3.10 to 3.13, and none was found${found}." >&2
    echo "What to do: on Debian and Ubuntu, sudo apt install python3.11 python3.11-venv; on a Mac, take Python 3.11 from python.org;" >&2
    echo "where neither has it, uv python install 3.11 (docs.astral.sh/uv). Then: LORABOOK_PYTHON=python3.11 ./jupyter.sh" >&2
    return 1
}

# Whether Lorabook's Python runs and has what the word needs; nothing is imported, so that it takes no time.
usable() {
    "$PYTHON" -c 'import sys; from importlib.util import find_spec; sys.exit(any(find_spec(name) is None for name in sys.argv[1:]))' \
        "${NEEDS[@]}" 2>/dev/null
}

# A trainer that could not be had, a network that is away, a full disk: the installer has said it, and what works goes on.
set_up() {
    local status=0
    "$BASE" "$ROOT/installer.py" "$@" || status=$?
    if [ "$status" -ge 128 ]; then
        exit "$status"
    fi
    PYTHON="$("$BASE" "$ROOT/installer.py" --which)"
    if [ "$status" != 0 ]; then
        if ! usable; then
            exit "$status"
        fi
        printf '\nIt goes on all the same: what is named above does not stop it.\n'
    fi
}

WHAT=lab
case "${1:-}" in
    lab | demo | core | test | doctor) WHAT="$1"; shift ;;
    -h | --help | help) usage; exit 0 ;;
    "" | -*) ;;
    *) echo "jupyter.sh knows lab, demo, core, test and doctor, but not '$1'." >&2; usage >&2; exit 2 ;;
esac

BASE="$(find_python)"
case "$WHAT" in
    doctor)
        exec "$BASE" "$ROOT/installer.py" --doctor "$@" ;;
    core)
        # Only its own words on the output, so that --json can be read by a program.
        NEEDS=(pydantic PIL numpy)
        PYTHON="$("$BASE" "$ROOT/installer.py" --which)"
        if ! usable; then
            set_up >&2
        fi
        cd "$ROOT"; exec "$PYTHON" -m core "$@" ;;
    demo)
        NEEDS=(pydantic PIL numpy torch diffusers)
        set_up
        cd "$ROOT"; exec "$PYTHON" -m core demo "$@" ;;
    test)
        NEEDS=(pydantic pytest xdist)
        set_up --with dev
        export PYTHONDONTWRITEBYTECODE=  # the tests start hundreds of Pythons: what one has compiled is for all
        # -n: a worker for each core; loadgroup: one browser at a time (tests/conftest.py)
        cd "$ROOT"; exec "$PYTHON" -m pytest -n auto --maxprocesses 4 --dist loadgroup "$@" ;;
esac

NEEDS=(pydantic jupyterlab ipywidgets anywidget)
set_up
# Without a wish of its own (a port, say), the Jupyter that a rented machine runs already is used: the browser reaches that one.
if [ $# = 0 ] && RUNNING="$("$BASE" "$ROOT/installer.py" --running-jupyter)"; then
    printf '\n%s\n' "$RUNNING"
    exit 0
fi

OPTIONS=(--ServerApp.root_dir="$ROOT")
case " $* " in
    *" --ip"[=\ ]* | *" --ServerApp.ip"[=\ ]*) ;;
    *)
        # 127.0.0.1: on a rented machine nobody else reaches the notebooks; the installer says how you do, for this very port.
        OPTIONS=(--ip=127.0.0.1 "${OPTIONS[@]}")
        PORT="$("$BASE" "$ROOT/installer.py" --own-jupyter "$@")"
        if [ -n "$PORT" ]; then
            OPTIONS+=("$PORT")
        fi ;;
esac
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
