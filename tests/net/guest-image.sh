#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# guest-image.sh - make the small Linux guest that the demo and tests boot
#
#	guest-image.sh DIR
#
# Leaves DIR/vmlinuz and DIR/initrd.gz: the newest kernel of Debian's "cloud"
# flavour, unpacked but not installed, and an initramfs with busybox, iperf3,
# ethtool and the few virtio modules; DIR/modules has what the lab's guest needs
# besides (lab-image.sh).  What is there and newer than its sources is kept.

set -eu
. "${0%/*}/image.sh"

[ $# = 1 ] || die "say where to put the image: guest-image.sh DIR"
out=$1

fresh() {
	[ -s "$out/vmlinuz" ] &&
		newer initrd.gz "$here"/{guest-init,image.sh,guest-image.sh}
}
fresh && exit 0

machine=$(uname -m)
[ "$machine" = x86_64 ] ||
	die "the guest is made for x86_64 only, and this machine is $machine"
require iperf3 ethtool
image_begin
fresh && exit 0

# Prints the package that the kernel's meta package stands for.
kernel_package() {
	apt-cache show --no-all-versions linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -n 1
}

# Downloads the kernel's package into $tmp; fails when apt knows none or the
# archive has replaced the one it knows.
kernel_download() {
	local package
	package=$(kernel_package)
	[ -n "$package" ] || return 1
	(cd "$tmp" && apt-get -qq -o APT::Sandbox::User=root \
		download "$package") 2>"$tmp/apt.log"
}

# Leaves the kernel in $out/vmlinuz and its modules in $out/modules.
kernel_unpack() {
	kernel_download ||
		{ [ "$(id -u)" = 0 ] && apt-get -qq update && kernel_download; } ||
		die "no kernel package could be downloaded; as root, try" \
			"apt-get update. $(head -n 1 "$tmp/apt.log" 2>/dev/null)"
	dpkg -x "$tmp"/linux-image-*.deb "$tmp/kernel"
	kernel_modules "$tmp/kernel" 'virtio*' '*failover' tun veth
	mv "$tmp"/kernel/boot/vmlinuz-* "$out/vmlinuz"
}

[ -s "$out/vmlinuz" ] && [ -s "$out/modules/tun.ko" ] || kernel_unpack

root_begin
copy_program iperf3
copy_program ethtool
root_pack initrd.gz "$out/modules" virtio_pci virtio_net
