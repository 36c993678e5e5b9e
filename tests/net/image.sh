# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# image.sh - the pieces of a small Linux guest: modules, programs, initramfs
#
# Sourced by the scripts that make an image in a directory $out.  Everything is
# made in a temporary place $tmp below it, under a lock, and renamed when it is
# complete, so that $out never holds half a file.
#
#	image_begin DIR			sets $out and $tmp
#	kernel_modules FROM NAME...	$out/modules from an unpacked package
#	root_begin			sets $root: busybox and guest-init
#	copy_program ethtool		and whatever else the guest runs
#	root_pack FILE MODULES NAME...	$out/FILE, which loads modules NAME...
#					of directory MODULES

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

die() {
	printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
	exit 1
}

# Ends the script with a sentence when one of the programs "$@" is missing.
require() {
	local tool
	for tool; do
		command -v "$tool" >/dev/null || die \
			"$tool is missing; run $here/install.sh check"
	done
}

# Whether $out/$1 is there and newer than each of the files "$2"...
newer() {
	local made=$out/$1 file
	shift
	[ -s "$made" ] || return 1
	for file; do
		[ "$made" -nt "$file" ] || return 1
	done
}

# Takes the lock of directory $out and makes $tmp, which goes with the script.
image_begin() {
	require apt-get dpkg dpkg-deb busybox cpio gzip xz flock
	ldd "$(command -v busybox)" >/dev/null 2>&1 && die \
		"busybox needs shared libraries; install Debian's busybox-static"
	mkdir -p "$out"
	exec 9>"$out/.lock"
	flock 9
	rm -rf "$out"/tmp.*
	tmp=$(mktemp -d "$out/tmp.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 130' INT TERM HUP
}

# Leaves those modules "$2".. (patterns of names without .ko) that are found
# below $1 in $out/modules, uncompressed.
kernel_modules() {
	local from=$1 name ko
	shift
	mkdir "$tmp/modules"
	for name; do
		for ko in $(find "$from" -name "$name.ko*"); do
			case $ko in
			*.xz) xz -dc "$ko" >"$tmp/modules/$(basename "$ko" .xz)" ;;
			*) cp "$ko" "$tmp/modules/" ;;
			esac
		done
	done
	[ -s "$tmp/modules/virtio_net.ko" ] ||
		die "the kernel package has no virtio_net module"
	rm -rf "$out/modules"
	mv "$tmp/modules" "$out/modules"
}

# Prints module $2 of directory $1 after the modules it depends on; unknown ones
# are built in.
module_order() {
	local dep
	[ -f "$1/$2.ko" ] || return 0
	for dep in $(tr '\0' '\n' <"$1/$2.ko" |
		sed -n 's/^depends=//p' | tr ',' ' '); do
		module_order "$1" "$dep"
	done
	echo "$2.ko"
}

# Copies program $1 (of the PATH, or a file) and the shared libraries it is
# linked with to the root.  It replaces busybox's applet of the same name.
copy_program() {
	local program file
	program=$(command -v "$1") || die "$1 is missing"
	cp -L --remove-destination "$program" "$root/bin/"
	for file in $(ldd "$program" | grep -o '/[^ )]*'); do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

# Makes the root's skeleton in $root.
root_begin() {
	local applet
	root=$tmp/root
	mkdir -p "$root"/{bin,proc,sys,dev,tmp,run,etc,lib/modules}
	cp "$(command -v busybox)" "$root/bin/"
	for applet in $("$root/bin/busybox" --list | grep -vx busybox); do
		ln -s busybox "$root/bin/$applet"
	done
	cp "$here/guest-init" "$root/init"
}

# Packs the root with modules "$3".. of directory $2 into $out/$1.  It may be
# packed again with others.
root_pack() {
	local file=$1 from=$2 module
	shift 2
	rm -f "$root"/lib/modules/*
	for module; do
		module_order "$from" "$module"
	done | awk '!seen[$0]++' >"$root/lib/modules/order"
	while read -r module; do
		cp "$from/$module" "$root/lib/modules/"
	done <"$root/lib/modules/order"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) \
		>"$tmp/$file"
	mv "$tmp/$file" "$out/$file"
}
