# Makes the virtual environment of the Python test peers, once for each content of the requirements file.
#
# usage: python.sh TARGET_DIR REQUIREMENTS. Prints the folder of the environment.
set -eu
target=$1 requirements=$2

mark=$(sha256sum <"$requirements" | cut -c1-16)
venv=$target/test-peers/python-$mark
mkdir -p "$target/test-peers"
# Tests run side by side; one of them makes it, the others wait.
exec 9>"$target/test-peers/python.lock"
flock 9
if [ ! -e "$venv/complete" ]; then
    rm -rf "$target"/test-peers/python-*/
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    "$python" -m venv "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps -r "$requirements" >&2
    touch "$venv/complete"
fi
echo "$venv"
