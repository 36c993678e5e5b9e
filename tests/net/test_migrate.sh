#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_migrate.sh - a guest moves between QEMUs while it is talked to
#
#	test_migrate.sh [ROUNDS [DEVICE-PROPERTIES]]
#
# The guest has three places, two ports of one switch and one port of another,
# which a pipe joins to the first; a round is from a to b, to c, and back to a.
# Another guest, which stays, pings it fifty times a second and sends it
# numbered lines over one TCP connection.  Whatever page the switch wrote to
# and did not log is missing where the guest goes: in the first move, after
# which the guest is held, the memory of both QEMUs is compared, and in all of
# them a line would be wrong or the connection end.
#
# Prints how long the guest was not running (as QEMU has it), for how long it
# did not answer, and how many pings were lost.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
. "${0%/*}/qmp.sh"
require jq cmp

rounds=${1-1}
properties=${2-guest_announce=off}
mac=52:54:00:00:00:77
interval_ms=20
place=a name=a0 generation=0
downtimes=()

swctl2() {
	"$SWCTL" -S "$T/two/swd.sock" "$@"
}

swctl2_answers() {
	swctl2 -j bridge show >/dev/null 2>&1
}

start_second() {
	mkdir "$T/two"
	start "$T/swd2.log" "$SWD" -r "$T/two"
	eventually 5 swctl2_answers
}

add_ports() {
	swctl port add peer type vhost-user &&
		swctl port add a type vhost-user &&
		swctl port add b type vhost-user &&
		swctl2 port add c type vhost-user &&
		swctl port add trunk type pipe socket "$T/trunk" &&
		swctl2 port add trunk type pipe socket "$T/trunk" role client
}

# Prints the socket of place $1.
socket_of() {
	case $1 in
	c) echo "$T/two/vhost/c" ;;
	*) echo "$T/vhost/$1" ;;
	esac
}

both_ready() {
	guest_wait peer && guest_wait $name
}

reaches() {
	guest peer ping -c 1 -W 1 10.0.0.1
}

# Numbered lines from peer to the guest, each checked as it arrives, and so many
# at once that frames are of several pages: of a small one the guest itself
# writes to the page that it lies in.  An nc whose input ends would end the
# connection.
start_traffic() {
	guest $name 'sleep 1000 | nc -l -p 5000 | awk "
			\$1 != NR || \$2 != NR { bad++ }
			END { print NR, bad + 0 }" >/tmp/got &
		sleep 0.2' &&
		guest peer "ping -i 0.0$interval_ms 10.0.0.1 >/tmp/ping.log &"'
		{ i=0
		while [ ! -e /tmp/stop ]; do
			awk -v i=$i "BEGIN { for (n = i + 1; n <= i + 100; n++)
				printf \"%d %500d\n\", n, n }"
			i=$((i + 100))
			usleep 10000
		done
		echo $i >/tmp/sent; } | nc 10.0.0.1 5000 &
		sleep 0.5'
}

# Where switch $1 (swctl or swctl2) has learned the guest.
learned_at() {
	"$1" -j fdb show |
		jq -r --arg mac $mac '.[] | select(.mac == $mac) | .port'
}

# Whether both switches know that the guest is at place $1.
known_at() {
	case $1 in
	c) [ "$(learned_at swctl) $(learned_at swctl2)" = "trunk c" ] ;;
	*) [ "$(learned_at swctl) $(learned_at swctl2)" = "$1 trunk" ] ;;
	esac
}

# Whether the memory of QEMUs $1 and $2, neither of which runs its guest, is
# the same.
same_memory() {
	cmp "$(qmp_memory "$1")" "$(qmp_memory "$2")"
}

# Moves the guest to place $1; with $2, compares its memory on the way.
move() {
	local to=$1$((++generation)) answer more=''
	[ -z "${2-}" ] || more=more=-S
	qmp_await "$to" "$(socket_of "$1")" mac=$mac "dev=$properties" $more ||
		return
	answer=$(qmp_migrate $name "$to") || { echo "$answer" && return 1; }
	jq -c '.return | {downtime, "total-time", ram: .ram.transferred,
		passes: .ram."dirty-sync-count"}' <<<"$answer"
	if [ -n "${2-}" ]; then
		same_memory $name "$to" && qmp "$to" cont >/dev/null || {
			cat "$T/$to.log"
			return 1
		}
	else
		downtimes+=("$(jq .return.downtime <<<"$answer")")
	fi
	qmp_stop $name
	name=$to place=$1
}

# Post-copy would stop a worker at every page that is not there yet.
refuses_postcopy() {
	local answer
	qmp_await p0 "$(socket_of b)" mac=$mac "dev=$properties" || return
	answer=$(qmp p0 migrate-set-capabilities '{"capabilities": [
		{"capability": "postcopy-ram", "state": true}]}')
	echo "$answer"
	cat "$T/p0.log"
	grep -qi 'postcopy' <<<"$answer"
	qmp_stop p0
}

# Ends the traffic; whether the connection lived, and every line arrived.
traffic_survived() {
	local sent got
	guest -t 40 peer 'touch /tmp/stop
		while [ ! -s /tmp/sent ]; do usleep 100000; done
		cat /tmp/sent' >"$T/sent" || return
	guest -t 40 $name 'while [ ! -s /tmp/got ]; do usleep 100000; done
		cat /tmp/got' >"$T/got" || return
	read -r sent <"$T/sent"
	read -r got <"$T/got"
	echo "sent $sent lines; received, and wrong: $got"
	[ "$sent" -gt 0 ] && [ "$got" = "$sent 0" ]
}

# Prints the median and the largest of numbers "$@".
median_worst() {
	printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 }
		END { print "median " v[int((NR + 1) / 2)] ", worst " v[NR] }'
}

# Whether pings were answered after the last move; says what was lost.
report() {
	local gaps
	guest peer 'kill -INT $(pidof ping); sleep 0.3; cat /tmp/ping.log' \
		>"$T/ping.log"
	gaps=$(sed -n 's/.*seq=\([0-9]*\) .*/\1/p' "$T/ping.log" |
		awk -v ms=$interval_ms 'NR > 1 && $1 > last + 1 {
			print ($1 - last - 1) * ms } { last = $1 }')
	tail -n 3 "$T/ping.log"
	echo "silent, ms: $(median_worst ${gaps:-0})" \
		"($(wc -w <<<"$gaps") times, one of them held)"
	[ ${#downtimes[@]} = 0 ] ||
		echo "downtime, ms: $(median_worst "${downtimes[@]}")" \
			"(${#downtimes[@]} moves)"
	grep -q 'packets received' "$T/ping.log"
}

# As check(), with what it says shown also when it passes.
tell() {
	local failed=$n_failed
	check "$@"
	[ $failed != $n_failed ] || sed 's/^/# /' "$T/check.log"
}

guest_prepare
check "two switches start" start_swd
check "the second one" start_second
check "they have ports" add_ports
guest_start peer "$T/vhost/peer" addr=10.0.0.2/24
qmp_start $name "$(socket_of a)" addr=10.0.0.1/24 mac=$mac "dev=$properties"
check "two guests boot" both_ready
check "they reach each other" reaches
check "post-copy is refused" refuses_postcopy
check "traffic starts" start_traffic
for ((round = 1; round <= rounds; round++)); do
	for to in b c a; do
		from=$place
		if [ "$round$to" = 1b ]; then
			tell "$from to $to: its memory is the same" move $to held
		else
			tell "$from to $to" move $to
		fi
		[ $place = $to ] || die "the guest is lost"
		check "$from to $to: the switches know" eventually 1 known_at $to
		sleep 0.3
	done
done
tell "the connection lives, and all lines are right" traffic_survived
tell "pings are answered" report
check "no errors in the guest" guest_no_errors $name
check "no errors in its peer" guest_no_errors peer
check "every frame is accounted for" conserved br0
check "swd ends with status 0" stop_swd
verdict
