# SPDX-License-Identifier: BSD-2-Clause
#
# throughput.gnuplot - frames a second by frame size, swd and others
#
# Data: position, label, then median, lowest and highest of each switch.

load "style.gnuplot"
set title "Guest to guest, one forwarding thread: median and range"
set ylabel "million frames a second"
set xlabel "frame size in bytes"
set yrange [0:*]
stats data using 1 nooutput
set xrange [-0.4:STATS_max + 0.4]
shift(i) = 0.06 * (i - 1) # so that no range hides another
plot for [i = 0:2] data using ($1 + shift(i)):(column(3 + 3 * i)): \
	(column(4 + 3 * i)):(column(5 + 3 * i)) with yerrorlines \
	linestyle i + 1 title word("swd testpmd OVS-DPDK", i + 1), \
	data using 1:(NaN):xtic(2) notitle
