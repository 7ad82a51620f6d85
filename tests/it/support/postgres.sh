# Runs a private PostgreSQL cluster for as long as standard input stays open, then stops and removes it.
# Being a process of its own that waits for the end of a pipe, it cleans up however its parent ended.
#
# usage: postgres.sh BINDIR PORT, as a user other than root. Prints the folder once the cluster answers.
set -eu
bin=$1 port=$2

# The server's own leftovers of the environment must not steer it.
unset PGDATA PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE || true
dir=$(mktemp -d "${TMPDIR:-/tmp}/postern-postgres.XXXXXX")
started=
clean_up() {
    trap '' INT TERM HUP PIPE
    if [ -n "$started" ]; then "$bin/pg_ctl" -D "$dir/data" -m immediate -w -s stop || true; fi
    rm -rf "$dir"
}
trap clean_up EXIT
# A broken pipe as well: the owner may end before it reads the answer.
trap 'exit 1' INT TERM HUP PIPE

"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$dir/initdb.log" 2>&1 ||
    { cat "$dir/initdb.log" >&2; exit 1; }
cat >>"$dir/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$dir'
max_connections = 300
shared_buffers = 64MB
jit = off
log_min_messages = warning
${POSTGRES_SETTINGS:-}
SETTINGS
started=yes
"$bin/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -t 60 -s start >&2 || { cat "$dir/server.log" >&2; exit 1; }
echo "$dir"
exec >&-
cat >/dev/null
