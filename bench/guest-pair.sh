#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# guest-pair.sh - two guests that load a switch, without a hypervisor
#
#	guest-pair.sh SOCKET SOCKET [-s SIZE] [-t SECONDS] [-w SECONDS]
#		[-b BURSTS] [-q QUEUES] [-o OPTIONS] [-c CPU] [-p PID] [-H]
#
# One dpdk-testpmd opens a virtio-user device on each of two vhost-user sockets,
# whoever serves them.  A frame that reaches a guest is sent back with its
# addresses swapped, so 2 x 32 x BURSTS frames go round through the switch as
# fast as it and the guests can: all unicast, all learned, both directions.
#
#	-s  frame size without checksum (64)	-b  bursts of 32 a queue (8)
#	-t  seconds measured (2)		-q  queue pairs a port (1)
#	-w  seconds of warming up before (1)	-c  cpu of the guests (1)
#	-o  virtio-user options of both devices, such as mrg_rxbuf=0
#	-p  the process of the switch
#	-H  ordinary pages instead of huge pages
#
# Prints three numbers: the millions of frames that both guests received a
# second, in the fastest quarter of a second, since two virtual cores may move
# away from each other for a while; how many of those that once circulated were
# lost, since with fewer the rate means less; and the per cent of the measured
# time that threads of the guests (with -p also of the switch) waited for a cpu,
# which is what others on this machine have taken from the rate.  Exit status 1 and a sentence: no frame
# came round, or the guests could not be started.

set -u
RING=1024
size=64 seconds=2 warmup=1 bursts=8 queues=1 options='' cpu=1 switch=''
memory=(--in-memory --single-file-segments)

die() {
	printf 'guest-pair: %s\n' "$*" >&2
	exit 1
}

[ $# -ge 2 ] || die "say which two vhost-user sockets to connect to"
first=$1 second=$2
shift 2
while getopts s:t:w:b:q:o:c:p:H option; do
	case $option in
	s) size=$OPTARG ;;
	t) seconds=$OPTARG ;;
	w) warmup=$OPTARG ;;
	b) bursts=$OPTARG ;;
	q) queues=$OPTARG ;;
	o) options=$OPTARG ;;
	c) cpu=$OPTARG ;;
	p) switch=$OPTARG ;;
	H) memory=(--no-huge --no-shconf) ;;
	*) exit 2 ;;
	esac
done

T=$(mktemp -d "${TMPDIR:-/tmp}/guest-pair.XXXXXX") || exit 1
testpmd=
finish() {
	local status=$?
	trap '' INT TERM HUP
	[ -z "$testpmd" ] || kill -KILL "$testpmd" 2>/dev/null
	wait
	rm -rf "$T"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Gives testpmd one command.
say() {
	echo "$*" >&"$commands"
}

# Waits up to 10 seconds until the log holds $1 for the ${2-1}st time.
expect() {
	local i
	for ((i = 0; i < 200; i++)); do
		[ "$(grep -c "$1" "$T/log")" -lt "${2-1}" ] || return 0
		kill -0 "$testpmd" 2>/dev/null || break
		sleep 0.05
	done
	tail -n 15 "$T/log" >&2
	die "testpmd ended or did not answer"
}

# Prints the largest sum over both ports of the rates in a block of statistics
# but the first, which is of the warming up; fails unless there is one.
rate() {
	awk '
	/NIC statistics for port/ { port = $6 }
	/Rx-pps:/ {
		pps[port] = $2
		if (port == 1 && blocks++ && pps[0] + pps[1] > best)
			best = pps[0] + pps[1]
	}
	END {
		if (blocks < 2)
			exit 1
		printf "%.3f\n", best / 1e6
	}' "$T/log"
}

# One thread forwards on the guests' cpu; the one that reads commands sleeps.
start_guests() {
	local mac=02:00:00:00:00
	local device=queue_size=$RING,queues=$queues${options:+,$options}
	mkfifo "$T/commands" && touch "$T/log" || exit 1
	exec {commands}<>"$T/commands"
	RUNTIME_DIRECTORY=$T setpriv --pdeathsig KILL stdbuf -oL dpdk-testpmd \
		--lcores "0@$cpu,1@$cpu" --main-lcore 0 --no-pci \
		--file-prefix "pair$$" "${memory[@]}" -m 256 \
		--vdev "net_virtio_user0,path=$first,mac=$mac:01,$device" \
		--vdev "net_virtio_user1,path=$second,mac=$mac:02,$device" \
		-- -i --nb-cores=1 --no-flush-rx --port-topology=loop \
		--forward-mode=macswap --rxq="$queues" --txq="$queues" \
		--rxd=$RING --txd=$RING \
		--eth-peer="0,$mac:02" --eth-peer="1,$mac:01" \
		--txpkts="$size" --total-num-mbufs=16384 \
		<"$T/commands" >"$T/log" 2>&1 &
	testpmd=$!
	expect "testpmd>"
}

# Prints how long all threads have waited for a cpu until now, in ns.
waited_ns() {
	cat "/proc/$testpmd/task/"*/schedstat \
		${switch:+"/proc/$switch/task/"*/schedstat} 2>/dev/null |
		awk '{ ns += $2 } END { printf "%.0f\n", ns }'
}

# Lets the first burst circulate, and measures how fast it does; sets $waited.
measure() {
	local before i windows
	windows=$(awk "BEGIN { print int($seconds * 4 + 0.5) }")
	say "start tx_first $bursts"
	sleep "$warmup"
	say "show port stats all"
	before=$(waited_ns)
	for ((i = 0; i < windows; i++)); do
		sleep 0.25
		say "show port stats all"
	done
	waited=$(($(waited_ns) - before))
	say "stop"
	expect "for all ports"
}

# Takes the frames that are left from the rings, to count them.
drain() {
	say "set fwd rxonly"
	say "start"
	sleep 0.2
	say "stop"
	expect "for all ports" 2
}

# Prints how many frames the guests received at last.
drained() {
	sed -n '/for all ports/,$ s/.*RX-packets: *\([0-9]*\).*/\1/p' "$T/log" |
		tail -n 1
}

quit() {
	local i
	say "quit"
	for ((i = 0; i < 100; i++)); do
		kill -0 "$testpmd" 2>/dev/null || break
		sleep 0.05
	done
}

start_guests
measure
drain
quit
mpps=$(rate) || die "testpmd printed no statistics"
left=$(drained)
[ -n "$left" ] || die "testpmd did not count the frames that were left"
[ "$mpps" != 0.000 ] || die "no frame came round"
echo "$mpps $((2 * 32 * bursts * queues - left))" \
	"$(awk "BEGIN { printf \"%.1f\", $waited / 1e7 / $seconds }")"
