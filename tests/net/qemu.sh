# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# qemu.sh - real Linux guests on vhost-user sockets
#
# Sourced after lib.sh.  A guest is one QEMU process whose second serial port
# is a pair of FIFOs: guest() sends a command line down the one and copies the
# answer from the other, so that a test reads like a shell script that runs on
# two machines.  Guests run under KVM where a guest really boots under it.
#
#	guest_prepare
#	guest_start vm1 "$T/vhost/vm1" addr=10.0.0.1/24
#	guest_wait vm1
#	guest vm1 ping -c 3 10.0.0.2
#	guest -t 60 vm1 'iperf3 -c 10.0.0.2 | tail -n 3'

GUEST_DIR=${GUEST_DIR:-$BUILD/guest}
guest_accel=
declare -A guest_pid guest_in guest_out
n_guests=0

# What every guest has in common.
guest_qemu=(qemu-system-x86_64 -nodefaults -nographic -no-user-config
	-no-reboot -kernel "$GUEST_DIR/vmlinuz" -initrd "$GUEST_DIR/initrd.gz")
guest_append="console=ttyS0 quiet panic=-1 ipv6.disable=1 mitigations=off"

# Whether this machine's KVM boots the guest within some seconds.
kvm_works() {
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	timeout -s KILL 8 "${guest_qemu[@]}" -machine q35,accel=kvm -cpu host \
		-m 192M -serial stdio -append "$guest_append swd.probe" \
		</dev/null 2>/dev/null | grep -q @probe
}

# Makes the guest's image and finds out how to run it: sets $guest_accel to kvm
# or tcg.  Booting is the only honest probe, so the answer is kept until the
# machine is started anew.
guest_prepare() {
	local answer
	require qemu-system-x86_64 setpriv
	"$ROOT/tests/net/guest-image.sh" "$GUEST_DIR" || exit 1
	answer=$GUEST_DIR/accel-$(id -u)-$(cat /proc/sys/kernel/random/boot_id)
	guest_accel=$(cat "$answer" 2>/dev/null)
	[ -z "$guest_accel" ] || return 0
	if kvm_works; then guest_accel=kvm; else guest_accel=tcg; fi
	[ -w "$GUEST_DIR" ] || return 0
	rm -f "$GUEST_DIR/accel-$(id -u)-"*
	echo $guest_accel >"$answer.$$"
	mv "$answer.$$" "$answer"
}

# Gives all guests that boot from here on programs "$@", in /bin.
guest_add() {
	mkdir -p "$T/root/bin" && cp "$@" "$T/root/bin" || return
	{ cat "$GUEST_DIR/initrd.gz" && (cd "$T/root" && find . |
		cpio -o -H newc --quiet | gzip -1); } >"$T/initrd.gz"
	guest_qemu=("${guest_qemu[@]/#$GUEST_DIR\/initrd.gz/$T/initrd.gz}")
}

# Boots guest $1 with words $2 for its kernel's command line, in the QEMU
# command "$3"...  Returns at once; guest_wait() waits for it.
guest_boot() {
	local name=$1 append=$2
	shift 2
	mkfifo "$T/$name.in" "$T/$name.out" || die "mkfifo failed"
	exec {guest_in[$name]}<>"$T/$name.in" {guest_out[$name]}<>"$T/$name.out"
	start "$T/$name.log" "$@" -serial "file:$T/$name.console" \
		-chardev "pipe,id=commands,path=$T/$name" \
		-serial chardev:commands \
		-append "$guest_append swd.name=$name $append"
	guest_pid[$name]=$pid
}

# Boots guest $1 on vhost-user socket $2.  Options follow as KEY=VALUE: addr
# (with prefix length), mac, mtu (what the guest sets), mem (MiB), queues
# (pairs; as many processors), dev (properties of virtio-net-pci, for example
# mrg_rxbuf=off,event_idx=off,indirect_desc=off,packed=off,host_mtu=9000,
# disable-modern=on), chardev (how it meets the switch, for example
# server=on), more (words for QEMU's command line).  Returns at once;
# guest_wait() waits for it.
guest_start() {
	local name=$1 socket=$2 addr='' mtu='' mem=192 queues=1 dev='' cpu=qemu64
	local mac vectors option chardev=reconnect=1 more=''
	n_guests=$((n_guests + 1))
	mac=$(printf '52:54:00:00:00:%02x' $n_guests)
	shift 2
	for option; do
		local "${option%%=*}=${option#*=}"
	done
	vectors=$((2 * queues + 2))
	[ "$queues" = 1 ] || dev=mq=on${dev:+,$dev}
	if [ $guest_accel = kvm ]; then
		cpu=host
	else
		# QEMU 7.2 without KVM crashes when a vhost-user device's
		# MSI-X vectors are unmasked; line interrupts work.
		vectors=0
	fi
	dev=mac=$mac,vectors=$vectors,romfile=${dev:+,$dev}
	guest_boot "$name" "swd.addr=$addr swd.mtu=$mtu" \
		"${guest_qemu[@]}" -machine \
		"q35,accel=$guest_accel,memory-backend=mem" -cpu $cpu \
		-smp "$queues" -m "${mem}M" -object \
		"memory-backend-memfd,id=mem,size=${mem}M,share=on" \
		-chardev "socket,id=c1,path=$socket,$chardev" \
		-netdev "vhost-user,id=n1,chardev=c1,queues=$queues" \
		-device "virtio-net-pci,netdev=n1,$dev" $more
}

# Prints what guest $1 and its QEMU have said, to explain a failure.
guest_log() {
	tail -qn 15 "$T/$1.log" "$T/$1.console" 2>/dev/null |
		tr -cd '[:print:]\n' | sed "s/^/$1: /"
}

# Reads one line of guest $1's answer into $line before the time $2 (ms), the
# end of an interrupted one included.  Fails when the guest has died too.
guest_read() {
	local part
	line=
	until IFS= read -r -t 1 -u "${guest_out[$1]}" part; do
		line+=$part
		kill -0 "${guest_pid[$1]}" 2>/dev/null || return 1
		[ "$(now_ms)" -lt "$2" ] || return 1
	done
	line+=$part
}

# Waits up to a minute until guest $1 takes commands.
guest_wait() {
	local line end=$(($(now_ms) + 60000))
	while guest_read "$1" $end; do
		[[ $line != *@ready* ]] || return 0
	done
	guest_log "$1"
	return 1
}

# Runs shell commands in guest $1: prints their output as it comes and returns
# their status.  After LIMIT seconds (-t, default 20) the guest ends them, with
# status 143; 124 when the guest gave no answer.
guest() {
	local limit=20 name id=${EPOCHREALTIME//[!0-9]/} line end begun=
	[ "$1" != -t ] || { limit=$2 && shift 2; }
	name=$1
	shift
	printf '%s %d %s\n' "$id" "$limit" "${*//$'\n'/$'\002'}" \
		>&"${guest_in[$name]}"
	end=$(($(now_ms) + limit * 1000 + 10000))
	while guest_read "$name" $end; do
		case $line in
		"@begin $id") begun=1 ;;
		*$'\002'"end $id "*)
			printf '%s' "${line%$'\002'*}"
			return "${line##* }"
			;;
		*) [ -z "$begun" ] || printf '%s\n' "$line" ;;
		esac
	done
	guest_log "$name" >&2
	return 124
}

# Whether guest $1 counts no error on its interface and no packet that was
# damaged, and its kernel complains of nothing; shows what there is.  Where an
# emulated guest answers so late that it is asked for a connection again, TCP
# counts that as an error (InErrs), and as what it is.
guest_no_errors() {
	guest "$1" 'awk "seen[\$1]++ {
			for (i = 2; i <= NF; i++)
				n[\$1 name[\$1, i]] = \$i
		} { for (i = 2; i <= NF; i++) name[\$1, i] = \$i }
		END {
			n[\"Tcp:InErrs\"] -= n[\"TcpExt:TCPSYNChallenge\"]
			for (key in n)
				if (key ~ /:In(Err|Hdr|Csum)/ && n[key])
					bad = bad key \" \" n[key] \" \"
			print bad
			exit bad != \"\"
		}" /proc/net/snmp /proc/net/netstat || exit 1
		cd /sys/class/net/eth0/statistics
		grep . *_errors *_packets tx_dropped | grep -v :0
		! grep -qv "^0$" *_errors tx_dropped || exit 1
		! dmesg | grep -E "BUG: |virtio.*(bad|broken|fail)| stall"'
}

# Ends guest $1 as pulling its plug would.
guest_stop() {
	stop "${guest_pid[$1]}"
	exec {guest_in[$1]}>&- {guest_out[$1]}>&-
	rm -f "$T/$1".*
	unset "guest_pid[$1]"
}
