#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# memory.sh - what a switch costs at which nothing happens
#
#	bench/memory.sh [-n PORTS] [-t SECONDS] [-w CPULIST]
#
# Resident memory and processor time of swd without ports, with PORTS (64)
# vhost-user ports that nobody is connected to, with one more, and with a silent
# guest on each of PORTS ports, after SECONDS (60) in each state.  The time is
# that of all its threads: cpu from the scheduler in ms a second, ticks from
# stat; wakes is how often a thread slept and was woken, each second.  Pss
# counts what is shared, as are libraries and the guests' memory, in part only.

BENCH=$(cd "$(dirname "$0")" && pwd)
. "$BENCH/../tests/net/lib.sh"

n_ports=64 seconds=60 options=(-w 0)
while getopts n:t:w: option; do
	case $option in
	n) n_ports=$OPTARG ;;
	t) seconds=$OPTARG ;;
	w) options=(-w "$OPTARG") ;;
	*) exit 2 ;;
	esac
done

kib() { # FILE LABEL
	awk -v label="$2:" '$1 == label { print $2 }' "/proc/$swd_pid/$1"
}

# Prints "NANOSECONDS TICKS WAKES" of all threads since they began.
spent() {
	local task=/proc/$swd_pid/task
	cat "$task"/*/schedstat "/proc/$swd_pid/stat" "$task"/*/status | awk '
		NF == 3 { ns += $1 }
		NF > 20 { sub(/.*\) /, ""); ticks = $12 + $13 }
		$1 == "voluntary_ctxt_switches:" { wakes += $2 }
		END { print ns, ticks, wakes }'
}

# Starts a switch with $1 ports.
start_with() {
	local i
	start_swd "${options[@]}" || die "swd did not start"
	for ((i = 1; i <= $1; i++)); do
		echo "port add vm$i type vhost-user"
	done >"$T/ports"
	swctl -b "$T/ports" || die "the ports could not be added"
}

guests_ready_or_died() {
	grep -q ready "$T/guests.log" || ! running "$guests"
}

connect_guests() {
	start "$T/guests.log" "$BUILD/bench/idle" "$T" "$n_ports"
	guests=$pid
	eventually 30 guests_ready_or_died && grep -q ready "$T/guests.log" ||
		die "the guests could not connect: $(cat "$T/guests.log")"
}

# Prints the row of state $1 and ends the switch.
measure() {
	local before after
	sleep 2
	read -ra before < <(spent)
	sleep "$seconds"
	read -ra after < <(spent)
	awk -v state="$1" -v rss="$(kib status VmRSS)" \
		-v pss="$(kib smaps_rollup Pss)" -v s="$seconds" \
		-v ns=$((after[0] - before[0])) \
		-v ticks=$((after[1] - before[1])) \
		-v wakes=$((after[2] - before[2])) 'BEGIN {
		printf "%-20s %9d %9d %9.3f %7.4f %% %6d %8.1f\n", state, rss,
			pss, ns / 1e6 / s, ns / 1e7 / s, ticks, wakes / s }'
	stop_swd || die "swd did not end as it should"
}

[ -x "$BUILD/bench/idle" ] || make -s -C "$ROOT" benches || die "make failed"
echo "swd ${options[*]}, $seconds s in each state"
printf '%-20s %9s %9s %9s %9s %6s %8s\n' state "RSS KiB" "Pss KiB" \
	"cpu ms/s" "of a core" ticks wakes/s
start_with 0
measure "no port"
start_with "$n_ports"
measure "$n_ports ports"
start_with $((n_ports + 1))
measure "$((n_ports + 1)) ports"
start_with "$n_ports"
connect_guests
measure "$n_ports guests"
