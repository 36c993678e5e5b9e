# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lab.sh - a guest that runs swd itself, on cards that do zero-copy
#
# Sourced after lib.sh and qemu.sh.  The lab is one guest of two processors,
# each a NUMA node with half of the memory, and as many emulated cards as the
# test asks for; what a card sends arrives in a unix socket of this machine
# (labwire.c).  It is always emulated, also where KVM works, so that it is the
# same everywhere: its speed says nothing.  Its kernel is one whose drivers do
# zero-copy, or Debian 12's own, the oldest that swd promises to run on.
#
#	lab_prepare
#	lab_card v0 virtio
#	lab_card g0 igb node=1
#	lab_start lab
#	lab_wait lab			cards are now called v0 and g0 inside
#	lab_swd lab -w 0-1
#	guest lab swctl port add v0 type xdp
#	labwire -n 1000 v0:g0 g0:v0
#
# In the guest iproute2's ip is /bin/ip; its shell takes plain ip for busybox's.

LAB_DIR=${LAB_DIR:-$BUILD/lab}
lab_qemu=() # what the cards are to QEMU
lab_macs=() # "NAME MAC" of each card
lab_ports=0

# Makes the guest's image, for both kernels.
lab_prepare() {
	require setpriv
	[ -x "$BUILD/tests/net/labwire" ] ||
		die "$BUILD/tests/net/labwire is missing; run make lab"
	"$ROOT/tests/net/guest-image.sh" "$GUEST_DIR" &&
		"$ROOT/tests/net/lab-image.sh" "$LAB_DIR" "$GUEST_DIR" || exit 1
	mkdir "$T/wire"
}

# Adds card $1 of kind $2 to the guest that is started next: virtio and igb do
# zero-copy; plain, a virtio card that bypasses the mapping of memory for DMA
# that zero-copy needs, does native copy.  Options follow as KEY=VALUE: node
# (NUMA, 0 or 1).  An igb has as many queues as there are processors, two; a
# virtio card has one, because this is what a datagram socket offers.
lab_card() {
	local name=$1 kind=$2 node=0 option mac device
	shift 2
	for option; do
		local "${option%%=*}=${option#*=}"
	done
	lab_ports=$((lab_ports + 1))
	mac=$(printf '52:54:00:00:01:%02x' $lab_ports)
	case $kind in
	plain) device=virtio-net-pci ;;
	virtio) device=virtio-net-pci,iommu_platform=on,disable-legacy=on ;;
	igb) device=igb ;;
	*) die "lab_card: there is no kind $kind" ;;
	esac
	lab_macs+=("$name $mac")
	lab_qemu+=(-netdev "dgram,id=$name,local.type=unix,remote.type=unix,$(
	)local.path=$T/wire/$name.card,remote.path=$T/wire/$name.wire"
		-device "pcie-root-port,id=port$lab_ports,$(
		)chassis=$lab_ports,bus=node$node"
		-device "$device,bus=port$lab_ports,netdev=$name,$(
		)mac=$mac,romfile=")
}

# Boots guest $1 with the cards added and kernel $2 (new; old is Debian 12's).
# Returns at once.
lab_start() {
	local half=320 kernel=$LAB_DIR/vmlinuz initrd=$LAB_DIR/initrd.gz
	[ "${2-new}" = new ] ||
		kernel=$GUEST_DIR/vmlinuz initrd=$LAB_DIR/old.gz
	guest_boot "$1" "" "$LAB_DIR/qemu/qemu" -nodefaults -nographic \
		-no-user-config -no-reboot -kernel "$kernel" \
		-initrd "$initrd" -machine q35 -accel tcg -cpu max \
		-smp 2,sockets=2 -m $((2 * half))M \
		-object memory-backend-ram,id=mem0,size=${half}M \
		-object memory-backend-ram,id=mem1,size=${half}M \
		-numa node,nodeid=0,cpus=0,memdev=mem0 \
		-numa node,nodeid=1,cpus=1,memdev=mem1 \
		-device pxb-pcie,id=node0,bus=pcie.0,bus_nr=64,numa_node=0 \
		-device pxb-pcie,id=node1,bus=pcie.0,bus_nr=128,numa_node=1 \
		"${lab_qemu[@]}"
}

# Waits until guest $1 takes commands and gives its cards their names.
lab_wait() {
	guest_wait "$1" && guest -t 60 "$1" "
		while read -r name mac; do
			for d in /sys/class/net/*; do
				grep -q \$mac \$d/address || continue
				ip link set \${d##*/} down
				ip link set \${d##*/} name \$name
				ip link set \$name up
				continue 2
			done
			echo there is no card for \$name; exit 1
		done <<-END
		$(printf '%s\n' "${lab_macs[@]}")
		END"
}

# Starts swd in guest $1 with options "$2".. and returns when it answers.  Its
# log is /tmp/swd.log there.
lab_swd() {
	local name=$1
	shift
	guest -t 60 "$name" "swd $* >>/tmp/swd.log 2>&1 &
		for i in \$(seq 500); do
			swctl show >/dev/null 2>&1 && exit 0
			usleep 50000
		done
		tail -n 5 /tmp/swd.log
		exit 1"
}

# Runs labwire "$@" on the guest's cards.
labwire() {
	"$BUILD/tests/net/labwire" -d "$T/wire" "$@"
}
