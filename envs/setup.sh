#!/usr/bin/env bash
# Makes .venv with the package in editable mode and its extras ($1), then looks for what pyrender needs of the system.
# Python packages come from pip alone; as root, what Debian's packages must give is installed, otherwise it is named.
set -euo pipefail
extras=${1:-dev}
python=${PYTHON:-python3}
constraints=${CONSTRAINTS:-constraints.txt}

install_debian() { # WHY PACKAGE...: as root by apt, otherwise print the command; either way say why
    local why=$1
    shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "setup: $why: installing $*"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; } \
            >/dev/null && return 0
        echo "setup: apt-get could not install it"
    fi
    echo "setup: $why; run: sudo apt-get install -y $*"
    return 1
}

make_venv() {
    if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; then
        echo "setup: expected Python 3.11, 3.12 or 3.13, found $("$python" --version 2>&1); set PYTHON=..." >&2
        exit 1
    fi
    [ -x .venv/bin/pip ] && return 0
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        install_debian "Debian's Python comes without venv" python3-venv || exit 1
    fi
    "$python" -m venv .venv
}

find_opengl() { # a picture drawn by the project's own OpenGL renderer
    .venv/bin/python -c 'from handbench.rendering.opengl import render_layers
from handbench.conventions import Camera
from handbench.geometry.mesh import Mesh
import numpy as np

corners_mm = np.array([[-9, -9, 50], [9, -9, 50], [0, 9, 50]], np.float32)
depth_mm, _ = render_layers([Mesh(corners_mm, np.array([[0, 2, 1]]))], Camera(9.0, 9.0, 4.0, 4.0, 9, 9))
assert depth_mm.max() > 0' 2>/dev/null
}

offer_opengl() {
    find_opengl && return 0
    if install_debian "no EGL for pyrender" libegl1 libgl1 libgl1-mesa-dri && find_opengl; then
        return 0
    fi
    echo "setup: depth is drawn by the built-in software renderer; nothing else depends on EGL"
}

make_venv
.venv/bin/python -m pip install --quiet --use-pep517 --disable-pip-version-check -c "$constraints" -e ".[$extras]"
offer_opengl
