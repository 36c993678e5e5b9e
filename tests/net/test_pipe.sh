#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_pipe.sh - pipes to applications of DPDK's, which have their own memif
#
#	test_pipe.sh [some]	some: of roles and sizes only those that differ most
#
# One testpmd plays both applications (testpmd.sh), in either of memif's roles:
# a client brings the memory, its own whole memory if it does without copies,
# which nobody can seal.  Then there are applications that stop or are killed, and
# some whose users may not come in.  Without "some", every role and size, with
# huge pages and without, takes minutes.

. "${0%/*}/lib.sh"
. "${0%/*}/testpmd.sh"
. "${0%/*}/memif.sh"
. "${0%/*}/netns.sh"
. "${0%/*}/hugepages.sh"
require jq dpdk-testpmd setpriv ping
GEN=${GEN:-$BUILD/swpipe-gen}

# What cleanup (lib.sh) does not know of.
finish() {
	local status=$?
	pages_give_back
	(exit $status)
	cleanup
}
trap finish EXIT

APP_PAGES=160 # huge ones, of an application

ports_add() { # ROLE OPTIONS...
	pipe_add p1 "$@" && pipe_add p2 "$@" && waiting
}

ports_del() {
	swctl port del p1 && swctl port del p2
}

# Two applications, from first contact to the last counted frame: what of them
# is special, their role, how many queues, which size, options of their devices,
# and of the EAL; the array port_options is that of both ports.
pair() {
	local what="$1, $3 queue(s), $4 bytes" role=$2 queues=$3
	shift
	mpps=none
	check "$what: ports wait for applications" \
		ports_add "$role" queues "$queues" "${port_options[@]}"
	apps_start "$@"
	check "$what: frames circulate" circulate $ENOUGH
	echo "# $mpps million frames a second"
	check "$what: as many rings as queues" rings_are "$queues"
	check "$what: addresses are on their ports" learned p1 p2
	check "$what: applications leave in peace" guests_stop
	check "$what: ports wait again" waiting
	check "$what: every frame is accounted for" conserved br0
	check "$what: none is longer or shorter" sizes_are "$3"
	check "$what: each was copied" all_copied
	check "$what: applications count the same frames" \
		agree "$queues" $RING
	check "$what: ports are deleted" ports_del
}

# Applications in huge pages, if the machine has enough of them.
with_huge_pages() {
	pages_reserve $APP_PAGES || {
		echo "# left out: $pages_missing"
		return
	}
	guests_memory=(--in-memory)
	"$@"
	guests_memory=(--no-huge)
	pages_give_back
}

huge_pages() {
	with_huge_pages eval '
		all pair "clients in huge pages" client 2 1500 ""
		port_options=(trusted on)
		pair "clients in huge pages, without copies" client 1 64 \
			"${without_copies[@]}"'
	port_options=()
}

# Every role, one and several queues, sizes from the smallest to the longest.
matrix() {
	various "ordinary pages"
	with_huge_pages various "huge pages"
}

various() {
	local where=$1 queues size
	for queues in 1 3; do
		for size in 64 128 256 512 1024 1518 2000 $jumbo; do
			pair "clients, $where" client $queues $size ""
			pair "servers, $where" server $queues $size ""
			port_options=(trusted on)
			pair "clients without copies, $where" client $queues \
				$size "${without_copies[@]}"
			port_options=()
		done
	done
}

# Whether both ports have $1 rings each way.
rings_are() {
	swctl -j port show | jq -e --argjson n "$1" 'all(
		(keys | map(select(test("^rx[0-9]+_size"))) | length) == $n and
		(keys | map(select(test("^tx[0-9]+_size"))) | length) == $n)'
}

# Whether every frame has the length of the pieces $1 together.
sizes_are() {
	swctl -j -s port show | jq -e --argjson n $((${1//,/+})) \
		'all(.rx_bytes == $n * .rx_packets)'
}

all_copied() {
	swctl -j -s port show | jq -e 'all(.tx_copied == .tx_packets)'
}

# Applications that only send, as fast as they can.
deaf() {
	check "line rate: ports wait for applications" ports_add client
	mode=txonly apps_start client 1 64 ""
	check "line rate: frames keep being taken" \
		eventually 15 sent $((1000 * RING))
	check "line rate: applications leave in peace" guests_stop
	check "line rate: every frame is accounted for" conserved br0
	check "line rate: full rings are the reason of the drops" \
		dropped_for_full_rings
	check "line rate: ports are deleted" ports_del
}

# They do not leave at the same moment: to the first to leave, the port is down.
dropped_for_full_rings() {
	swctl -j -s port show | jq 'map(.drops)'
	swctl -j -s port show | jq -e 'map(.drops) |
		all(keys - ["guest_ring_full", "port_down"] == [])'
}

# Whether port $1 is in state $2 and its reason matches $3.
state_is() {
	local now
	now=$(swctl -j port show "$1" |
		jq -r '.[0] | "\(.state) \(.reason // "")"')
	echo "$1: $now"
	[[ $now = "$2 "$3 ]]
}

logged() {
	grep -q -- "$1" "$T/swd.log"
}

# Memory that nobody can seal, of applications that are not trusted.
refused() {
	check "unsealed memory: ports wait for applications" ports_add client
	apps_start client 1 64 zero-copy=yes --single-file-segments
	check "unsealed memory: the port says why it does not take it" \
		eventually 10 state_is p1 wait 'region: *trusted*'
	guests_stop KILL # it waits for its link to come up
	check "unsealed memory: ports are deleted" ports_del
}

# One socket for both ports, which ask for a secret.
shared() {
	local at=$T/shared
	check "shared socket: ports wait for applications" ports_add client \
		socket "$at" secret sesame
	check "shared socket: an id is given once" \
		fails swctl port add p3 type pipe socket "$at" id 1
	apps_start client 1 64 socket="$at",secret=open
	check "shared socket: a wrong secret is of no use" \
		eventually 10 logged "$at: peer refused: wrong secret"
	guests_stop
	check "shared socket: ports still wait" waiting
	apps_start client 1 64 socket="$at",secret=sesame
	check "shared socket: frames circulate" circulate $ENOUGH
	check "shared socket: addresses are on their ports" learned p1 p2
	second_application "$at"
	check "shared socket: applications leave in peace" guests_stop
	check "shared socket: every frame is accounted for" conserved br0
	check "shared socket: ports are deleted" ports_del
	check "shared socket: it is removed with the last of them" \
		fails test -e "$at"
}

fails() {
	! "$@"
}

# A further application for interface 0 at socket $1 while it is taken.
second_application() {
	local first=$guests_pid log=$guests_log
	guests_log=$T/second.log
	guests_run -m 128 --file-prefix "second$$" --vdev \
		"$(memif 0 client socket="$1",secret=sesame)" -- \
		--forward-mode=rxonly
	check "second application: it is refused" \
		eventually 10 logged "another application is connected"
	guests_stop
	guests_pid=$first guests_log=$log
	check "second application: the first one's frames circulate" \
		circulate $ENOUGH
}

# A bystander: an application with two pipes on a bridge of its own, and frames
# from each to the other that are numbered.  Its rings hold what comes while
# somebody else has the cpus.
bystander_starts() {
	swctl bridge add br9 && swctl port add by1 type pipe bridge br9 &&
		swctl port add by2 type pipe bridge br9 || return
	rm -f "$T/bystander"
	start "$T/bystander" "$GEN" -Q -r 5k -n 8192 "$T/pipe/by1" "$T/pipe/by2"
	bystander=$pid
	eventually 5 bystander_runs
}

bystander_runs() {
	swctl -j -s port show by2 | jq -e '.[0].rx_packets > 100'
}

# Ends it; whether everything that it sent has arrived, and in order.
bystander_lost_nothing() {
	stop "$bystander" INT || return
	cat "$T/bystander"
	[ "$(bystander_count sent)" -gt 100 ] &&
		[ "$(bystander_count sent)" = "$(bystander_count received)" ] &&
		[ "$(bystander_count lost) $(bystander_count late)" = "0 0" ] &&
		conserved br9 && swctl port del by1 && swctl port del by2 &&
		swctl bridge del br9
}

bystander_count() {
	sed -n "s/^summary.* $1=\([0-9]*\).*/\1/p" "$T/bystander"
}

# Applications in role $1 that die without a word in mid-batch, and their
# successors.
killed() {
	local role=$1 what="killed ${1}s" before
	check "$what: a bystander is there" bystander_starts
	check "$what: ports wait for applications" ports_add "$role"
	apps_start "$role" 1 64 ""
	check "$what: frames circulate" circulate $ENOUGH
	guests_stop KILL
	rm -f "$T"/app[01] # a server of DPDK's takes over no socket
	check "$what: ports wait again" waiting
	check "$what: every frame is accounted for" conserved br0
	before=$(total rx_packets)
	apps_start "$role" 1 $jumbo ""
	check "$what: their successors' frames circulate" \
		eventually 15 sent $((before + ENOUGH))
	check "$what: successors leave in peace" guests_stop
	check "$what: every frame is accounted for at the end" conserved br0
	check "$what: the bystander lost nothing" bystander_lost_nothing
	check "$what: ports are deleted" ports_del
}

# Applications in role $1 that are stopped in mid-batch while frames come for
# them.
stopped() {
	local role=$1 what="stopped ${1}s" before
	check "$what: a bystander is there" bystander_starts
	check "$what: ports wait for applications" ports_add "$role"
	apps_start "$role" 1 64 ""
	check "$what: frames circulate" circulate $ENOUGH
	kill -STOP "$guests_pid"
	check "$what: a source of frames is added" swctl port add n0 \
		type null generate 100000
	check "$what: what finds no buffer is dropped for that reason" \
		eventually 5 rings_full
	check "$what: the port stays up" state_is p1 up '*'
	kill -CONT "$guests_pid"
	check "$what: the source is set to rest" swctl port set n0 generate 0
	before=$(total rx_packets)
	check "$what: frames come again" eventually 10 sent $((before + 1000))
	check "$what: applications leave in peace" guests_stop
	check "$what: every frame is accounted for" conserved br0
	check "$what: the bystander lost nothing" bystander_lost_nothing
	check "$what: ports are deleted" eval 'ports_del && swctl port del n0'
}

rings_full() {
	[ "$(guests_ports 'map(select(.type == "pipe")) |
		all(.drops.guest_ring_full > 0)')" = true ]
}

# An application of user $1 (and group) at socket $2, with the options "$3".. of
# swpipe-gen; its output goes to $T/user$1.  Abstract names are known in one
# namespace.
user_starts() {
	local user=$1 socket=$2
	shift 2
	rm -f "$T/user$user"
	start_in s "$T/user$user" setpriv --reuid "$user" --regid "$user" \
		--clear-groups "$GEN" -Q -m receive "$@" "$socket"
}

# Whether that application is refused, with a sentence that holds $1.
user_is_refused() {
	local sentence=$1 status
	shift
	user_starts "$@"
	eventually 5 ended "$pid"
	wait "$pid"
	status=$?
	cat "$T/user$1"
	[ $status = 1 ] && grep -q "$sentence" "$T/user$1"
}

ended() {
	! running "$1"
}

# Two users with a port each, at socket $1 and $2, files or abstract names; what
# keeps a stranger out is said as $3.
two_users() {
	local what=$1 first=$2 second=$3 sentence=$4 pids=()
	check "$what: each of two ports is for a group" eval \
		'swctl port add p1 type pipe socket "$first" group nogroup &&
		swctl port add p2 type pipe socket "$second" group daemon'
	user_starts 65534 "$first" -w 5
	pids+=("$pid")
	user_starts 1 "$second" -w 5
	pids+=("$pid")
	check "$what: each comes in at its own" eval \
		'eventually 5 user_is p1 65534 && eventually 5 user_is p2 1'
	check "$what: at the other's it does not" \
		user_is_refused "$sentence" 1 "$first" -A 7
	check "$what: a second one of the same user neither" \
		user_is_refused "hung up" 65534 "$first" -A 8
	check "$what: nobody is disturbed by that" eval \
		'user_is p1 65534 && user_is p2 1 && running "${pids[0]}" &&
			running "${pids[1]}"'
	check "$what: who leaves makes room" eval 'stop "${pids[0]}" INT &&
		user_starts 65534 "$first" -w 5 &&
		eventually 5 user_is p1 65534 && stop "$pid" INT'
	stop "${pids[1]}" INT
	check "$what: ports are deleted" ports_del
}

# Whether an application of user $2 is at port $1.
user_is() {
	swctl -j port show "$1" | jq -e --arg user "$2" \
		'.[0] | .state == "up" and (.peer | endswith("uid " + $user))'
}

# Whether socket $1 belongs to group $2 and has mode $3.
socket_is() {
	stat -c '%G %a %F' "$1"
	[ "$(stat -c '%G %a %F' "$1")" = "$2 $3 socket" ]
}

# Abstract names, which DPDK prefers, in both roles.
abstract() {
	local role
	guests_as=("${swd_in[@]}")
	for role in client server; do
		check "abstract names, ${role}s: ports wait" eval \
			"pipe_add p1 $role socket @$T/abstract0 &&
			pipe_add p2 $role socket @$T/abstract1 && waiting"
		abstract=yes apps_start $role 1 64 ""
		check "abstract names, ${role}s: frames circulate" \
			circulate $ENOUGH
		check "abstract names, ${role}s: applications leave in peace" \
			guests_stop
		check "abstract names, ${role}s: every frame is accounted for" \
			conserved br0
		check "abstract names, ${role}s: ports are deleted" ports_del
	done
	guests_as=()
}

# Two applications of another user, of which one may come in by its group.
# DPDK insists on a directory that it can write to.
users() {
	local dir=$T/nobody
	chmod 711 "$T" && mkdir -m 777 "$dir"
	check "users: one port is for a group" eval \
		'pipe_add p1 client socket $dir/1 group nogroup mode 0660 &&
		pipe_add p2 client socket $dir/2 mode 0600 && waiting'
	check "users: sockets have their groups and modes" eval \
		'socket_is $dir/1 nogroup 660 && socket_is $dir/2 root 600'
	guests_as=(setpriv --reuid 65534 --regid 65534 --clear-groups
		env "RUNTIME_DIRECTORY=$dir")
	apps_start_at "$dir/1" "$dir/2"
	check "users: its member comes in" eventually 10 state_is p1 up '*'
	check "users: at the other port it does not" \
		eventually 10 grep -q "connect socket: $dir/2" "$guests_log"
	check "users: which waits" state_is p2 wait ''
	check "users: the member is known by its user" eval \
		'swctl -j port show p1 |
			jq -e ".[0].peer | endswith(\"uid 65534\")"'
	guests_stop KILL
	guests_as=()
	check "users: ports are deleted" ports_del
	chmod 755 "$T/pipe"
	two_users "two users" "$T/pipe/u1" "$T/pipe/u2" "Permission denied"
	two_users "two users, abstract names" "@$T/u1" "@$T/u2" \
		"hung up\|server is gone"
}

# Starts both applications, clients, with sockets $1 and $2.
apps_start_at() {
	guests_run -m 128 --vdev "$(memif 0 client "socket=$1")" \
		--vdev "$(memif 1 client "socket=$2")" -- --forward-mode=rxonly
}

# Two applications that have nothing to say.
idle() {
	check "idle: ports wait for applications" ports_add client
	mode=rxonly apps_start client 2 64 ""
	check "idle: ports are up" eval 'eventually 10 state_is p1 up "*" &&
		eventually 10 state_is p2 up "*"'
	sleep 1
	check "idle: the switch needs no time" no_time
	check "idle: applications leave in peace" guests_stop
	check "idle: ports are deleted" ports_del
}

# Whether swd needs less than 20 ms of processor time in a second.
no_time() {
	local from to
	from=$(ticks)
	sleep 1
	to=$(ticks)
	echo "$((to - from)) ticks"
	[ $((to - from)) -lt 2 ]
}

ticks() {
	local stat
	stat=$(<"/proc/$swd_pid/stat")
	set -- ${stat##*) }
	echo $((${12} + ${13}))
}

ns_make s
swd_in_ns s
check "swd starts" start_swd
without_copies=(zero-copy=yes --single-file-segments)
port_options=()
all pair "clients" client 1 64 ""
pair "clients" client 2 1500 ""
all pair "clients" client 1 $jumbo ""
pair "servers" server 1 64 ""
all pair "servers" server 2 1500 ""
pair "servers" server 1 $jumbo ""
port_options=(trusted on)
all pair "clients without copies" client 1 64 "${without_copies[@]}"
all pair "clients without copies" client 2 1500 "${without_copies[@]}"
pair "clients without copies" client 1 $jumbo "${without_copies[@]}"
port_options=()
huge_pages
all matrix
deaf
refused
shared
killed client
all killed server
all stopped client
stopped server
all abstract
users
idle
check "swd ends with status 0" stop_swd
verdict
