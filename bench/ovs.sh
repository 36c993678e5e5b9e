#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ovs.sh - Open vSwitch with DPDK's datapath, the switch to compare with
#
#	ovs.sh DIR [CPU [INTERFACE...]]
#
# Serves $OVS_SOCKETS (2) vhost-user sockets, DIR/vm1, DIR/vm2.., with an MTU of
# $OVS_MTU, or takes each INTERFACE by AF_XDP, on one learning bridge whose
# forwarding thread runs on CPU (0), until it is ended by SIGTERM or SIGINT;
# creates DIR/ready when all ports are there.  The process id of ovs-vswitchd is
# in DIR/vswitchd.pid.  Needs root and 1 GiB of huge pages.  ovs-vswitchd makes
# devices: with sockets it has a network namespace of its own, with interfaces
# it is for the caller to give it one.

set -u
VSWITCHD=/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk
SCHEMA=/usr/share/openvswitch/vswitch.ovsschema

die() {
	printf 'ovs: %s\n' "$*" >&2
	[ ! -s "$dir/vswitchd.log" ] || tail -n 15 "$dir/vswitchd.log" >&2
	exit 1
}

dir=$(readlink -f "${1-}")
[ -d "$dir" ] || {
	echo "ovs: say in which directory to run" >&2
	exit 2
}
cpu=${2:-0}
interfaces=("${@:3}")
export OVS_RUNDIR=$dir
db=unix:$dir/db.sock
children=()

finish() {
	local status=$? i p
	trap '' INT TERM HUP
	rm -f "$dir/ready"
	for ((i = ${#children[@]} - 1; i >= 0; i--)); do
		p=${children[i]}
		kill -CONT "$p" 2>/dev/null
		kill -TERM "$p" 2>/dev/null
		eventually 3 ended "$p" || kill -KILL "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	exit "$status"
}
trap finish EXIT
trap 'exit 0' INT TERM HUP

# Succeeds as soon as the command "$2".. does; fails after $1 seconds.
eventually() {
	local i limit=$1
	shift
	for ((i = 0; i < limit * 20; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	return 1
}

ended() {
	! kill -0 "$1" 2>/dev/null
}

# Starts "$2".., which logs to file $1 and dies with this script.
start() {
	local log=$dir/$1
	shift
	setpriv --pdeathsig KILL "$@" >>"$log" 2>&1 </dev/null &
	children+=($!)
}

vsctl() {
	ovs-vsctl --timeout=10 --db="$db" "$@" >>"$dir/vsctl.log" 2>&1
}

start_database() {
	rm -f "$dir/conf.db"
	ovsdb-tool create "$dir/conf.db" "$SCHEMA" || die "no database"
	start db.log ovsdb-server "$dir/conf.db" --remote="punix:${db#unix:}" \
		--unixctl="$dir/db.ctl"
	eventually 5 test -S "${db#unix:}" || die "ovsdb-server did not start"
	vsctl --no-wait init
}

# The main thread, which never forwards, gets the cpu after the forwarding one.
start_switch() {
	local other=$(((cpu + 1) % $(nproc))) own_net=()
	vsctl --no-wait set Open_vSwitch . other_config:dpdk-init=true \
		other_config:dpdk-lcore-mask="$(printf 0x%x $((1 << other)))" \
		other_config:pmd-cpu-mask="$(printf 0x%x $((1 << cpu)))" \
		other_config:dpdk-extra="--no-pci --in-memory -m 1024 \
--file-prefix ovs$$" || die "ovsdb-server does not answer"
	[ ${#interfaces[@]} != 0 ] || own_net=(unshare --net)
	RUNTIME_DIRECTORY=$dir start vswitchd.log "${own_net[@]}" "$VSWITCHD" \
		"$db" --unixctl="$dir/vswitchd.ctl" --pidfile="$dir/vswitchd.pid"
}

add_sockets() {
	local i port
	for ((i = 1; i <= ${OVS_SOCKETS:-2}; i++)); do
		port=vm$i
		vsctl add-port br0 $port -- set Interface $port \
			type=dpdkvhostuser ${OVS_MTU:+mtu_request=$OVS_MTU} ||
			die "no port $port"
		eventually 5 test -S "$dir/$port" || die "no socket for $port"
	done
}

# In a mode that is asked for by name: there is no falling back to another.
add_interface() {
	vsctl add-port br0 "$1" -- set Interface "$1" type=afxdp \
		options:xdp-mode=native || die "no port $1"
	eventually 10 vsctl get Interface "$1" \
		statistics:xsk_queue_0_rx_dropped || die "no socket for $1"
}

add_ports() {
	local interface
	vsctl add-br br0 -- set bridge br0 datapath_type=netdev || die "no bridge"
	[ ${#interfaces[@]} != 0 ] || add_sockets
	for interface in "${interfaces[@]}"; do
		add_interface "$interface"
	done
}

[ -x "$VSWITCHD" ] || die "$VSWITCHD is missing; install" \
	"openvswitch-switch-dpdk"
rm -f "$dir"/{ready,vm*,vswitchd.pid,vswitchd.log}
start_database
start_switch
add_ports
touch "$dir/ready"
while ! ended "${children[1]}"; do
	sleep 1 &
	wait $!
done
die "ovs-vswitchd ended"
