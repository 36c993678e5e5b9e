#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# guest-image.sh - make the small Linux guest that the demo and tests boot
#
#	guest-image.sh DIR
#
# Leaves DIR/vmlinuz and DIR/initrd.gz: the newest kernel of Debian's "cloud"
# flavour, unpacked but not installed, and an initramfs with busybox, iperf3,
# ethtool and the few virtio modules.  Everything is made in a temporary place
# and renamed, so that DIR never holds half a file; what is there and newer
# than its sources is kept.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
die() {
	printf 'guest-image: %s\n' "$*" >&2
	exit 1
}

[ $# = 1 ] || die "say where to put the image: guest-image.sh DIR"
out=$1

fresh() {
	[ -s "$out/vmlinuz" ] && [ "$out/initrd.gz" -nt "$here/guest-init" ] &&
		[ "$out/initrd.gz" -nt "$here/guest-image.sh" ]
}
fresh && exit 0

machine=$(uname -m)
[ "$machine" = x86_64 ] ||
	die "the guest is made for x86_64 only, and this machine is $machine"
for tool in apt-get dpkg busybox iperf3 ethtool cpio gzip xz flock; do
	command -v "$tool" >/dev/null || die \
		"$tool is missing; run $here/install.sh demo"
done
ldd "$(command -v busybox)" >/dev/null 2>&1 &&
	die "busybox needs shared libraries; install Debian's busybox-static"

mkdir -p "$out"
exec 9>"$out/.lock"
flock 9
fresh && exit 0
rm -rf "$out"/tmp.*
tmp=$(mktemp -d "$out/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP

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

# Leaves the kernel in $out/vmlinuz and its virtio modules in $out/modules.
kernel_unpack() {
	local ko
	kernel_download ||
		{ [ "$(id -u)" = 0 ] && apt-get -qq update && kernel_download; } ||
		die "no kernel package could be downloaded; as root, try" \
			"apt-get update. $(head -n 1 "$tmp/apt.log" 2>/dev/null)"
	dpkg -x "$tmp"/linux-image-*.deb "$tmp/kernel"
	mkdir "$tmp/modules"
	for ko in $(find "$tmp/kernel" -name '*.ko*' \( -path '*/virtio/*' -o \
		-path '*/net/virtio_net.ko*' -o -name '*failover.ko*' \)); do
		case $ko in
		*.xz) xz -dc "$ko" >"$tmp/modules/$(basename "$ko" .xz)" ;;
		*) cp "$ko" "$tmp/modules/" ;;
		esac
	done
	[ -s "$tmp/modules/virtio_net.ko" ] ||
		die "the kernel package has no virtio_net module"
	rm -rf "$out/modules"
	mv "$tmp/modules" "$out/modules"
	mv "$tmp"/kernel/boot/vmlinuz-* "$out/vmlinuz"
}

# Prints module $1 after the modules it depends on; unknown ones are built in.
module_order() {
	local dep
	[ -f "$out/modules/$1.ko" ] || return 0
	for dep in $(tr '\0' '\n' <"$out/modules/$1.ko" |
		sed -n 's/^depends=//p' | tr ',' ' '); do
		module_order "$dep"
	done
	echo "$1.ko"
}

# Copies program $1 and the shared libraries it is linked with to the root.
copy_program() {
	local file
	cp -L "$(command -v "$1")" "$root/bin/"
	for file in $(ldd "$(command -v "$1")" | grep -o '/[^ )]*'); do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

[ -s "$out/vmlinuz" ] && [ -d "$out/modules" ] || kernel_unpack

root=$tmp/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,etc,lib/modules}
cp "$(command -v busybox)" "$root/bin/"
for applet in $("$root/bin/busybox" --list | grep -vx busybox); do
	ln -s busybox "$root/bin/$applet"
done
copy_program iperf3
copy_program ethtool
cp "$here/guest-init" "$root/init"
{
	module_order virtio_pci
	module_order virtio_net
} | awk '!seen[$0]++' >"$root/lib/modules/order"
while read -r module; do
	cp "$out/modules/$module" "$root/lib/modules/"
done <"$root/lib/modules/order"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$tmp/initrd.gz"
mv "$tmp/initrd.gz" "$out/initrd.gz"
