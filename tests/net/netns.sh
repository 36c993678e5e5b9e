# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# netns.sh - network namespaces, and the cables between them
#
# Sourced after lib.sh.  A namespace here has no name that could outlive the
# test: it exists for as long as the process that holds it, which the kernel
# ends together with the test (lib.sh, start), and what is in a namespace that
# ends is removed by the kernel as well.  /sys shows the namespace's own
# interfaces in it.
#
#	ns_make s a
#	veth_make s p0 a e0
#	in_ns a ping -c 1 10.0.0.1
#	swd_in_ns s && start_swd

declare -A ns_pid=()

# Makes namespaces of the names "$@", each with its loopback up and no IPv6,
# whose own traffic would be in the way of counting.
ns_make() {
	local name
	[ "$(id -u)" = 0 ] || die "only root can make network namespaces"
	for name; do
		# In a chroot / need not be a mount; /sys is one.
		start "$T/ns.log" unshare --net --mount \
			--propagation unchanged sh -c '
			{ mount --make-rprivate / 2>/dev/null ||
				mount --make-rprivate /sys; } &&
			mount -t sysfs none /sys && touch "$1" &&
			exec sleep infinity' - "$T/ns.$name"
		ns_pid[$name]=$pid
		eventually 5 test -e "$T/ns.$name" ||
			die "no network namespace: $(tail -n 1 "$T/ns.log")"
		in_ns "$name" sh -c 'ip link set lo up
			echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
	done
}

# Runs "$2".. in namespace $1, in the directory of the caller.
in_ns() {
	local holder=${ns_pid[$1]}
	shift
	nsenter -t "$holder" --net --mount --root --wd -- "$@"
}

# Like start (lib.sh), in namespace $1: its output goes to file $2.
start_in() {
	local holder=${ns_pid[$1]} log=$2
	shift 2
	start "$log" nsenter -t "$holder" --net --mount --root --wd -- "$@"
}

# Has start_swd run it in namespace $1, by way of the command "$2"..
swd_in_ns() {
	local holder=${ns_pid[$1]}
	shift
	swd_in=(nsenter -t "$holder" --net --mount --root --wd -- "$@")
}

# Lays a cable from interface $2 in namespace $1 to $4 in $3, both up, with
# ${5-1} queues at each end.
veth_make() {
	local n=${5-1}
	local queues=(numrxqueues "$n" numtxqueues "$n")
	ip link add name "$2" "${queues[@]}" netns "${ns_pid[$1]}" type veth \
		peer name "$4" "${queues[@]}" netns "${ns_pid[$3]}" &&
		in_ns "$1" ip link set "$2" up &&
		in_ns "$3" ip link set "$4" up
}

# Prints what jq's $3 makes of interface $2 in namespace $1.
link_show() {
	in_ns "$1" ip -d -j link show "$2" | jq -r ".[0] | $3"
}

# Prints how many checksums the stack of namespace $1 has found wrong.
bad_checksums() {
	in_ns "$1" nstat -asz --json | jq '.kernel |
		[.TcpInCsumErrors, .UdpInCsumErrors, .IcmpInCsumErrors,
		 .IpExtInCsumErrors] | add'
}

# A switch's namespace s and hosts of the names "$@" after $1 queues and $2
# bytes of MTU: interface pNAME in s is cabled to e0 of the host, number i of
# which has the address 10.9.0.i.  veth lets its sender leave checksums and
# VLAN tags to a receiver that here would not do them: off.
lan_make() {
	local queues=$1 mtu=$2 host i=0
	shift 2
	ns_make s "$@"
	for host; do
		i=$((i + 1))
		veth_make s "p$host" "$host" e0 "$queues" || die "no veth"
		mtu_set "$host" "$mtu"
		in_ns "$host" sh -c "ethtool -K e0 tx off txvlan off >/dev/null
			ip addr add 10.9.0.$i/24 dev e0"
	done
}

# Sets the MTU of host $1's cable, at both ends, to $2.
mtu_set() {
	in_ns s ip link set "p$1" mtu "$2" && in_ns "$1" ip link set e0 mtu "$2"
}

# Whether host $1 reaches address 10.9.0.$2, with ping's options "$3"..
pings() {
	local host=$1 to=10.9.0.$2
	shift 2
	in_ns "$host" ping -q -c 3 -i 0.02 -W 1 "$@" "$to"
}

# ... after a while.
reaches() {
	eventually 5 pings "$@"
}

# Has host $1 serve iperf3, for all tests to come.
iperf_serve() {
	start_in "$1" "$T/iperf.log" iperf3 -s
	eventually 5 listens "$1" || die "iperf3 does not listen"
}

listens() {
	[ -n "$(in_ns "$1" ss -Hltn sport = :5201)" ]
}

# Whether iperf3 in host $1 to address 10.9.0.$2, with options "$4".., ends
# with results of which jq's $3 holds.
iperf() {
	local host=$1 to=10.9.0.$2 holds=$3
	shift 3
	in_ns "$host" timeout 10 iperf3 -J -c "$to" "$@" >"$T/iperf.json"
	jq -e "$holds" "$T/iperf.json" || {
		jq -c ".error, .end.sum" "$T/iperf.json"
		return 1
	}
}

udp_holds='.end.sum | .packets > 100 and .lost_percent < 5'

# Whether a stream of TCP gets through, or one of UDP that a busy machine can do
# at the third attempt.
tcp() {
	local host=$1 to=$2
	shift 2
	iperf "$host" "$to" '.end.sum_received.bytes > 1000000' \
		-n 30M "$@"
}

udp() {
	local i
	for i in 1 2 3; do
		iperf "$1" "$2" "$udp_holds" -u -b 20M -n 1M && return
	done
	return 1
}

# Whether the stacks of hosts "$@" found every checksum right.
checksums_right() {
	local host bad
	for host; do
		bad=$(bad_checksums "$host")
		echo "$host: $bad wrong checksums"
		[ "$bad" = 0 ] || return 1
	done
}
