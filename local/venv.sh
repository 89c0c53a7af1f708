# `sh local/venv.sh VENV REQUIREMENTS`: a virtual environment with these requirements, made with the first Python that
# fits, and touched again only when a requirement file changes. What production needs comes from requirements.lock, so
# that `make run` and the tests run on what production runs on.
set -eu
venv=$1
requirements=$2
installed=$venv/installed-$requirements

works() { "$1" -c "import sys; sys.exit(not (3, 10) <= sys.version_info < (3, $2))" 2>/dev/null; }

# A moved folder or a removed Python leaves an environment that no longer runs.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    # Not every wheel exists for the newest Python yet, so an older one is preferred where there are several.
    for below in 14 99; do
        for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3 python; do
            if works "$python" $below; then break 2; fi
            python=
        done
    done
    if [ -z "$python" ]; then
        echo "Parley needs Python 3.10 or newer, and found none. Install it, or name one: make run PYTHON=/path/to/python3" >&2
        exit 1
    fi
    echo "Creating $venv with $("$python" --version)"
    rm -rf "$venv"
    if ! "$python" -m venv "$venv"; then
        rm -rf "$venv"
        echo "$python has no complete venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi

install() {
    if ! "$venv/bin/python" -m pip install -qq --disable-pip-version-check "$@"; then
        echo "Installing $requirements failed; the lines above say why. Then try again." >&2
        exit 1
    fi
}

if ! cat requirements*.txt requirements.lock | cmp -s - "$installed"; then
    echo "Installing $requirements"
    install --require-hashes -r requirements.lock
    install -r "$requirements"
    cat requirements*.txt requirements.lock > "$installed"
fi
