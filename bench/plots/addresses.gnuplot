# SPDX-License-Identifier: BSD-2-Clause
#
# addresses.gnuplot - what learning and looking up cost, by live addresses
#
# Data: one block for each kind of work, named by its first line: addresses,
# cycles a frame.

load "style.gnuplot"
set title "Cost of the table, addresses drawn at random"
set xlabel "live addresses"
set ylabel "cycles a frame"
set logscale x 2
set yrange [0:*]
set xrange [700:6000000]
set xtics ("1 K" 1024, "16 K" 16384, "64 K" 65536, "1 M" 1048576, \
	"4 M" 4194304)
plot for [i = 0:n_blocks - 1] data index i using 1:2 \
	with linespoints linestyle i + 1 title columnhead(1)
