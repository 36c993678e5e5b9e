#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lab-image.sh - make the guest of the zero-copy lab, which runs swd itself
#
#	lab-image.sh DIR GUEST
#
# The emulated cards have AF_XDP zero-copy drivers only in kernels newer than
# those of Debian's stable releases, and QEMU emulates these cards well only
# since version 10.  Both come from Debian's backports, through apt directories
# of our own and from the mirror that this machine uses; nothing is installed
# and the machine's package lists are not touched.  About 135 MB are
# downloaded once; what is kept are DIR/vmlinuz, DIR/modules, DIR/release and
# DIR/qemu, some 60 MB.  DIR/initrd.gz, with swd and swctl, is made anew
# whenever these programs are, which takes a second, and so is DIR/old.gz, the
# same for the kernel of directory GUEST (guest-image.sh), Debian 12's own.

set -eu
. "${0%/*}/image.sh"

kernel_suite=trixie-backports # 7.2 or newer
qemu_suite=bookworm-backports # 10
SWD=${SWD:-${BUILD:-$here/../../build}/swd}
SWCTL=${SWCTL:-${BUILD:-$here/../../build}/swctl}

[ $# = 2 ] || die "say where to put the image, and where the other guest's is:" \
	"lab-image.sh DIR GUEST"
mkdir -p "$1"
out=$(cd "$1" && pwd)
old=$2

downloaded() {
	[ -s "$out/release" ] && [ -s "$out/vmlinuz" ] && [ -d "$out/modules" ] &&
		[ -x "$out/qemu/qemu" ]
}
fresh() {
	local file
	downloaded && for file in initrd.gz old.gz; do
		newer $file "$SWD" "$SWCTL" "$old/vmlinuz" \
			"$here"/{guest-init,image.sh,lab-image.sh} || return
	done
}
fresh && exit 0

machine=$(uname -m)
[ "$machine" = x86_64 ] ||
	die "the lab is made for x86_64 only, and this machine is $machine"
[ -x "$SWD" ] && [ -x "$SWCTL" ] ||
	die "$SWD or $SWCTL is missing; run make"
require ethtool ip
image_begin
fresh && exit 0

# Prints the URI from which this machine's apt takes its own release, asking
# apt itself because sources are written in several ways.
mirror() {
	local release
	release=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
	apt-get --print-uris update 2>/dev/null | sed -nE \
		"s#^'(.*)/dists/($release|(old)*stable|testing)/InRelease'.*#\1#p" |
		head -n 1
}

# Sets up an apt of our own for suite $1, in $tmp/$1, and gets its list.
apt_begin() {
	local suite=$1 dir=$tmp/$1 keys=/usr/share/keyrings uri
	uri=$(mirror)
	[ -n "$uri" ] || die "apt has no Debian mirror configured" \
		"from which $suite could be taken"
	keys=$keys/debian-archive-keyring.gpg
	[ -r $keys ] || die "$keys is missing; install debian-archive-keyring"
	mkdir -p "$dir"/{state/lists,cache/archives}/partial
	echo "deb [signed-by=$keys] $uri $suite main" >"$dir/sources.list"
	cat >"$dir/apt.conf" <<-END
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		APT::Sandbox::User "root";
		APT::Update::Error-Mode "any";
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		Dir::State "$dir/state";
		Dir::State::Status "/dev/null";
		Dir::Cache "$dir/cache";
		Acquire::Languages "none";
		Acquire::Retries "3";
	END
	apt-get -qq -c "$dir/apt.conf" update >"$dir/log" 2>&1 ||
		die "no $suite could be had from $uri, the mirror that this" \
			"machine uses, and the zero-copy lab needs it." \
			"$(head -n 1 "$dir/log")"
}

# Downloads packages "$2".. of suite $1 to $tmp/$1.
apt_download() {
	local suite=$1 dir=$tmp/$1
	shift
	(cd "$dir" && apt-get -qq -c "$dir/apt.conf" download "$@") \
		>"$dir/log" 2>&1 || die "$* of $suite could not be" \
		"downloaded: $(head -n 1 "$dir/log")"
}

# Prints the newest release of the ordinary kernel that is 7.2 or newer.
kernel_release() {
	apt-cache -c "$tmp/$kernel_suite/apt.conf" pkgnames \
		linux-binary-unsigned- |
		sed -nE 's/^linux-binary-unsigned-([0-9.]+\+deb[0-9]+-amd64)$/\1/p' |
		sort -V | awk -F '[.+]' '$1 > 7 || ($1 == 7 && $2 >= 2)' |
		tail -n 1
}

# Leaves the kernel in $out/vmlinuz, its modules in $out/modules.  Of the
# package of modules, 100 MB, only the directories in question are unpacked.
kernel_fetch() {
	local release dir=$tmp/$kernel_suite
	apt_begin $kernel_suite
	release=$(kernel_release)
	[ -n "$release" ] ||
		die "$kernel_suite has no kernel 7.2 or newer for amd64"
	apt_download $kernel_suite "linux-binary-unsigned-$release" \
		"linux-modules-$release"
	dpkg -x "$dir"/linux-binary-*.deb "$dir/root"
	dpkg-deb --fsys-tarfile "$dir"/linux-modules-*.deb |
		tar -x -C "$dir/root" --wildcards '*/kernel/drivers/net/*' \
			'*/kernel/drivers/virtio/*' '*/kernel/drivers/dca/*' \
			'*/kernel/drivers/i2c/algos/*' '*/kernel/net/core/*'
	kernel_modules "$dir/root" 'virtio*' '*failover' \
		igb dca i2c-algo-bit tun veth
	[ -s "$out/modules/igb.ko" ] || die "kernel $release has no igb module"
	mv "$dir"/root/usr/lib/modules/*/vmlinuz* "$out/vmlinuz"
	echo "$release" >"$tmp/release"
	mv "$tmp/release" "$out/release"
	rm -rf "$dir"
}

# Leaves $out/qemu/qemu, a script that runs QEMU 10 or newer: this machine's
# own if it is one, else that of backports with its firmware.
qemu_fetch() {
	local dir=$tmp/$qemu_suite qemu=$tmp/qemu version deb
	mkdir "$qemu"
	version=$(qemu-system-x86_64 --version 2>/dev/null |
		sed -n 's/.*version \([0-9]*\).*/\1/p')
	if [ "${version:-0}" -ge 10 ]; then
		ln -s "$(command -v qemu-system-x86_64)" "$qemu/qemu"
	else
		apt_begin $qemu_suite
		apt_download $qemu_suite qemu-system-x86 qemu-system-data seabios
		for deb in "$dir"/*.deb; do
			dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$qemu" \
				--exclude './usr/share/doc' --exclude '*i386' \
				--exclude '*microvm'
		done
		cat >"$qemu/qemu" <<-'END'
			#!/bin/sh
			d=${0%/*}/usr
			exec "$d/bin/qemu-system-x86_64" -L "$d/share/qemu" \
				-L "$d/share/seabios" "$@"
		END
		chmod +x "$qemu/qemu"
	fi
	"$qemu/qemu" --version >"$tmp/log" 2>&1 ||
		die "QEMU does not run here: $(head -n 1 "$tmp/log")"
	rm -rf "$out/qemu" "$dir"
	mv "$qemu" "$out/qemu"
}

[ -s "$out/release" ] && [ -s "$out/vmlinuz" ] && [ -d "$out/modules" ] ||
	kernel_fetch
[ -x "$out/qemu/qemu" ] || qemu_fetch

root_begin
for program in "$SWD" "$SWCTL" ethtool ip; do
	copy_program "$program"
done
root_pack initrd.gz "$out/modules" virtio_pci virtio_net igb tun veth
root_pack old.gz "$old/modules" virtio_pci virtio_net tun veth
