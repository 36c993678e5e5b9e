#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_pipe.sh - pipes to applications of DPDK's, which have their own memif
#
#	test_pipe.sh [some]	some: of roles and sizes only those that differ most
#
# One testpmd plays both applications (testpmd.sh), in either of memif's roles:
# a client brings the memory, its own whole memory if it does without copies,
# which nobody can seal.  Then a pipe meets other kinds of port, an application
# that stops or is killed, and one whose user may not come in.

. "${0%/*}/lib.sh"
. "${0%/*}/testpmd.sh"
. "${0%/*}/netns.sh"
require jq dpdk-testpmd setpriv ping

# Room for all frames in five pieces each: testpmd, when a frame in pieces finds
# none, sends one of zeroes instead later on.
RING=512
ENOUGH=$((100 * RING))
jumbo=2000,2000,2000,2000,1000

# Prints memif device $1 (0, 1) of an application in role $2, with options $3:
# its socket is that of the port p1, p2 unless they say otherwise.  Only device
# 0 does without copies: when it connects, DPDK closes the descriptor of its
# memory, which device 1 may still have to pass on.
memif() {
	local at=socket=$T/pipe/p$(($1 + 1)), options=$3
	[ "$2" = client ] || at=socket=$T/app$1,
	[[ $options != *socket=* ]] || at=
	[ "$1" = 0 ] || options=${options/zero-copy=yes/}
	echo "net_memif$1,role=$2,${at}socket-abstract=no,id=$1,rsize=9,$(
		)mac=$guests_mac:0$(($1 + 1))${options:+,$options}"
}

# Starts both applications: their role $1, $2 queues, frames of $3 bytes (or
# pieces of it), devices with options $4, and options $5.. of the EAL.
apps_start() {
	local role=$1 queues=$2 size=$3 options=$4
	shift 4
	guests_run -m 256 "$@" --vdev "$(memif 0 "$role" "$options")" \
		--vdev "$(memif 1 "$role" "$options")" \
		-- --forward-mode="${mode-macswap}" --txpkts="$size" \
		--tx-offloads=0x8000 --rxq="$queues" --txq="$queues"
}

# Adds port $1 for an application in role $2, with options $3..
pipe_add() {
	local name=$1 role=$2 id=$((${1#p} - 1))
	shift 2
	[ "$role" = client ] || set -- role client \
		socket "$T/app$id" ring-size $RING "$@"
	swctl port add "$name" type pipe id $id mtu 9000 "$@"
}

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

# A guest of DPDK's and an application of DPDK's.
guest_and_pipe() {
	local options=queue_size=$RING
	check "pipe and guest: ports wait" eval 'pipe_add p1 client &&
		swctl port add vm2 type vhost-user mtu 9000 && waiting'
	guests_run -m 256 --vdev "$(memif 0 client "")" --vdev \
		"net_virtio_user1,path=$T/vhost/vm2,mac=$guests_mac:02,$options" \
		-- --forward-mode=macswap --txpkts=1000
	check "pipe and guest: frames circulate" circulate $ENOUGH
	check "pipe and guest: addresses are on their ports" learned p1 vm2
	check "pipe and guest: both leave in peace" guests_stop
	check "pipe and guest: every frame is accounted for" conserved br0
	check "pipe and guest: ports are deleted" eval \
		'swctl port del p1 && swctl port del vm2'
}

# The host, whose tap leaves checksums undone, pings an application.
host_and_pipe() {
	check "pipe and host: ports are added" eval 'pipe_add p1 client &&
		swctl port add t2 type tap'
	in_ns s sh -c 'ip addr add 10.9.0.1/24 dev t2 && ip link set t2 up'
	guests_run -m 128 --vdev "$(memif 0 client "")" \
		-- --forward-mode=icmpecho
	check "pipe and host: the application answers" \
		eventually 10 in_ns s ping -q -c 3 -i 0.05 -W 1 10.9.0.2
	check "pipe and host: and to long ones" \
		in_ns s ping -q -c 3 -i 0.05 -W 1 -s 1400 10.9.0.2
	check "pipe and host: the application leaves in peace" guests_stop
	check "pipe and host: every frame is accounted for" conserved br0
	check "pipe and host: ports are deleted" eval \
		'swctl port del p1 && swctl port del t2'
}

# Applications that die without a word in mid-batch, and their successors.
killed() {
	local before
	check "killed: ports wait for applications" ports_add client
	apps_start client 1 64 ""
	check "killed: frames circulate" circulate $ENOUGH
	guests_stop KILL
	check "killed: ports wait again" waiting
	check "killed: every frame is accounted for" conserved br0
	before=$(total rx_packets)
	apps_start client 1 $jumbo ""
	check "killed: their successors' frames circulate" \
		eventually 15 sent $((before + ENOUGH))
	check "killed: successors leave in peace" guests_stop
	check "killed: every frame is accounted for at the end" conserved br0
	check "killed: ports are deleted" ports_del
}

# Applications that are stopped in mid-batch while frames come for them.
stopped() {
	local before
	check "stopped: ports wait for applications" ports_add client
	apps_start client 1 64 ""
	check "stopped: frames circulate" circulate $ENOUGH
	kill -STOP "$guests_pid"
	check "stopped: a source of frames is added" swctl port add n0 \
		type null generate 100000
	check "stopped: what finds no buffer is dropped for that reason" \
		eventually 5 ring_full
	check "stopped: the port stays up" state_is p1 up '*'
	kill -CONT "$guests_pid"
	check "stopped: the source is set to rest" swctl port set n0 generate 0
	before=$(total rx_packets)
	check "stopped: frames come again" eventually 10 sent $((before + 1000))
	check "stopped: applications leave in peace" guests_stop
	check "stopped: every frame is accounted for" conserved br0
	check "stopped: ports are deleted" eval 'ports_del && swctl port del n0'
}

ring_full() {
	swctl -j -s port show | jq -e 'map(select(.type == "pipe")) |
		all(.drops.guest_ring_full > 0)'
}

# Two applications of another user, of which one may come in by its group.
# DPDK insists on a directory that it can write to.
users() {
	local dir=$T/nobody
	chmod 711 "$T" && mkdir -m 777 "$dir"
	check "users: one port is for a group" eval \
		'pipe_add p1 client socket $dir/1 group nogroup mode 0660 &&
		pipe_add p2 client socket $dir/2 mode 0600 && waiting'
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
deaf
refused
shared
guest_and_pipe
host_and_pipe
killed
stopped
users
idle
check "swd ends with status 0" stop_swd
verdict
