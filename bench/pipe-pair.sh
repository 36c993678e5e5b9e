#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# pipe-pair.sh - an application with two pipes that loads a switch
#
#	pipe-pair.sh SOCKET SOCKET [-s SIZE] [-t SECONDS] [-w SECONDS]
#		[-b BURST] [-q QUEUES] [-i ID] [-m MODE] [-k FRAMES] [-c CPU]
#		[-p PID]
#
# One swpipe-gen joins the switch at both sockets, whoever serves them, and sends
# numbered frames from each to the other as fast as it can: all unicast, all
# learned, both directions.  With "-m echo -k 512" it sends back what it
# receives, and 512 frames of each pipe go round.
#
#	-s  frame size without checksum (64)	-b  frames in a burst (64)
#	-t  seconds measured (2)		-q  queue pairs a pipe (1)
#	-w  seconds of warming up before (1)	-i  id of both pipes (0)
#	-c  cpu of the application (1)		-p  the process of the switch
#
# Prints three numbers: the millions of frames that arrived a second; how many
# did not; and the per cent of the measured time that threads of the
# application (with -p also of the switch) waited for a cpu, which is what others
# on this machine have taken from the rate.  Exit status 1 and a sentence: no
# frame arrived, or a pipe could not be opened.

set -u
GEN=${GEN:-${BUILD:-$(dirname "$0")/../build}/swpipe-gen}
size=64 seconds=2 warmup=1 burst=64 queues=1 id=0 mode=both kick=0 cpu=1
switch=''

die() {
	printf 'pipe-pair: %s\n' "$*" >&2
	exit 1
}

[ $# -ge 2 ] || die "say which two sockets to connect to"
first=$1 second=$2
shift 2
while getopts s:t:w:b:q:i:m:k:c:p: option; do
	case $option in
	s) size=$OPTARG ;;
	t) seconds=$OPTARG ;;
	w) warmup=$OPTARG ;;
	b) burst=$OPTARG ;;
	q) queues=$OPTARG ;;
	i) id=$OPTARG ;;
	m) mode=$OPTARG ;;
	k) kick=$OPTARG ;;
	c) cpu=$OPTARG ;;
	p) switch=$OPTARG ;;
	*) exit 2 ;;
	esac
done

T=$(mktemp -d "${TMPDIR:-/tmp}/pipe-pair.XXXXXX") || exit 1
gen=
finish() {
	local status=$?
	trap '' INT TERM HUP
	[ -z "$gen" ] || kill -KILL "$gen" 2>/dev/null
	wait
	rm -rf "$T"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Prints how long all threads have waited for a cpu until now, in ns.
waited_ns() {
	cat "/proc/$gen/task/"*/schedstat \
		${switch:+"/proc/$switch/task/"*/schedstat} 2>/dev/null |
		awk '{ ns += $2 } END { printf "%.0f\n", ns }'
}

# Prints key $1 of the summary.
value() {
	sed -n "s/^summary.* $1=\([0-9.]*\).*/\1/p" "$T/summary"
}

setpriv --pdeathsig KILL "$GEN" -Q -p -w 5 -W "$warmup" -t "$seconds" \
	-s "$size" -b "$burst" -q "$queues" -i "$id" -m "$mode" -k "$kick" \
	-c "$cpu" "$first" "$second" >"$T/summary" 2>"$T/log" &
gen=$!
sleep "$warmup"
before=$(waited_ns)
sleep "$seconds"
waited=$(($(waited_ns) - before))
wait $gen
status=$?
gen=
[ $status = 0 ] || {
	cat "$T/log" >&2
	die "swpipe-gen ended with status $status"
}
[ "$(value received)" != 0 ] || die "no frame arrived"
echo "$(value received_mpps)" $(($(value lost) + $(value unsent))) \
	"$(awk "BEGIN { printf \"%.1f\", $waited / 1e7 / $seconds }")"
