#!/bin/sh
# How the cost of a request grows: user instructions by callgrind, peak memory by the kernel. Needs valgrind.
#
#     server/benches/growth.sh            # all tables as Markdown, about ten minutes
#     server/benches/growth.sh routes     # one of: connections routes fields again bodies drip threads
#
# Instructions are the difference of two runs that differ in their number of requests alone: starting up, connecting and
# ending cancel out.
set -eu
cd "$(dirname "$0")/../.."
cargo build --quiet --release -p quintet-examples --example bench --example load
bin=${CARGO_TARGET_DIR:-target}/release/examples
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo 18100 >"$tmp/port"

# start WRAPPER... -- OPTIONS...: the server, on a port of its own; it ends with the shell that started it
start() {
    port=$(($(cat "$tmp/port") + 1))
    echo $port >"$tmp/port"
    if "$bin/load" --port $port >/dev/null 2>&1; then
        echo "port $port is in use" >&2
        exit 1
    fi
    wrapper=
    while [ "$1" != -- ]; do wrapper="$wrapper $1"; shift; done
    shift
    $wrapper "$bin/bench" --port $port "$@" >"$tmp/log" 2>&1 &
    server=$!
    trap 'kill $server 2>/dev/null || true' EXIT
    for _ in $(seq 300); do
        "$bin/load" --port $port >"$tmp/hello" 2>&1 && return
        sleep 0.1
    done
    cat "$tmp/log" "$tmp/hello" >&2
    exit 1
}

stop() {
    kill -TERM $server
    wait $server 2>/dev/null || true
}

# instructions REQUESTS "SERVER OPTIONS" LOAD OPTIONS...: in one run
instructions() {
    requests=$1 options=$2
    shift 2
    # shellcheck disable=SC2086
    start valgrind --tool=callgrind --callgrind-out-file=/dev/null -- $options
    "$bin/load" --port $port --requests "$requests" "$@" >"$tmp/load"
    stop
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$tmp/log"
}

# each FEW MANY "SERVER OPTIONS" LOAD OPTIONS...: for one request
each() {
    few=$1 many=$2
    shift 2
    a=$(instructions "$few" "$@")
    b=$(instructions "$many" "$@")
    echo $(((b - a) / (many - few)))
}

row() {
    printf '|'
    printf ' %s |' "$@"
    echo
}

connections() {
    if [ "$(ulimit -n)" -lt 10200 ]; then
        echo "ten thousand connections need as many descriptors: ulimit -n 20000" >&2
        exit 1
    fi
    row "active connections" "instructions a request"
    row "--:" "--:"
    for n in 64 1000 10000; do
        cost=$(each 20000 60000 '' --connections $n)
        row $n "$cost"
    done
}

routes() {
    row "routes" "instructions a request"
    row "--:" "--:"
    for n in 10 100 1000 10000; do
        cost=$(each 4000 24000 "--routes $n" --path '/r{}/items/7' --of $n)
        row $n "$cost"
    done
}

fields() {
    row "fields" "the same head again" "another each time"
    row "--:" "--:" "--:"
    for n in 2 12 64; do
        same=$(each 2000 12000 '' --fields $n)
        other=$(each 2000 12000 '' --fields $n --differ field)
        row $n "$same" "$other"
    done
}

again() {
    row "twelve fields, and" "instructions a request"
    row ":--" "--:"
    cost=$(each 2000 12000 '--routes 100' --path '/r7/items/7' --fields 12)
    row "the same head again" "$cost"
    cost=$(each 2000 12000 '--routes 100' --path '/r{}/items/7' --of 100 --fields 12)
    row "another target" "$cost"
    cost=$(each 2000 12000 '--routes 100' --path '/r{}/items/7' --of 100 --fields 12 --differ field)
    row "another target, other fields" "$cost"
}

bodies() {
    row "body, there and back" "peak memory of the server, KiB"
    row "--:" "--:"
    for size in 1024 65536 1048576 67108864 1073741824; do
        start --
        "$bin/load" --port $port --body $size --requests 2 >"$tmp/load"
        row $size "$(sed -n 's/VmHWM:\s*\([0-9]*\).*/\1/p' /proc/$server/status)"
        stop
    done
}

drip() {
    row "head, bytes" "instructions a byte"
    row "--:" "--:"
    # What the client sends: 50 bytes of request line and host, and 60 for each further field.
    for n in 4 16 64; do
        bytes=$((50 + 60 * (n - 1)))
        cost=$(each 8 24 '' --connections 8 --fields $n --differ field --drip 1)
        row $bytes $((cost / bytes))
    done
}

threads() {
    row "threads" "instructions a request" "pipelined, sixteen"
    row "--:" "--:" "--:"
    for n in 1 2; do
        single=$(each 20000 60000 "--threads $n" --connections 64)
        pipelined=$(each 40000 200000 "--threads $n" --connections 64 --depth 16)
        row $n "$single" "$pipelined"
    done
}

# Each table in a shell of its own, with which its servers end.
for table in ${*:-connections routes fields again bodies drip threads}; do
    echo
    ($table)
done
