# SPDX-License-Identifier: BSD-2-Clause
#
# latency.gnuplot - how long one frame takes, with the tail drawn out
#
# Data: one block for each way to measure, named by its first line: per cent,
# microseconds.  The axis is by the odds of being slower: one in 2, 10, 100...

load "style.gnuplot"
set title "One frame from guest to guest"
set xlabel "per cent of frames that are not slower"
set ylabel "microseconds"
set logscale y
set yrange [0.1:*]
set xrange [0.25:4.05]
set grid xtics ytics
set xtics ("50" 0.30103, "90" 1, "99" 2, "99.9" 3, "99.99" 4)
set key outside right center vertical
set style line 6 linecolor rgb "#a678c8" linewidth 1.7 pointtype 6 pointsize 0.6
set style line 7 linecolor rgb "#c9a227" linewidth 1.7 pointtype 6 pointsize 0.6
unset mytics
odds(p) = -log10(1 - p / 100.0)
plot for [i = 0:n_blocks - 1] data index i using (odds($1)):2 \
	with linespoints linestyle i + 1 title columnhead(1)
