#!/bin/sh
# Fixed work by a busybox, in the guest or on the host: "work NAME SECONDS SUM TITLE" for each.
# SPDX-License-Identifier: MIT
box=${BUSYBOX:-/bin/busybox}
folder=$($box mktemp -d)
cd "$folder" || exit 1

now() { $box awk '{ print $1 }' /proc/uptime; }
work() {
	name=$1 title=$2
	shift 2
	start=$(now)
	"$@" >out 2>&1 || echo "status $?" >>out
	end=$(now)
	sum=$($box md5sum <out | $box cut -c-8)
	echo "work $name $($box awk "BEGIN { print $end - $start }") $sum $title"
}

lines() {
	$box awk 'BEGIN { for (i = 0; i < 60000; i++) printf "%07d line\n", i * 7919 % 10000000 }'
}
float() {
	$box awk 'BEGIN { for (i = 1; i <= 200000; i++) s += i / (i + 0.5) * (i - 0.25)
		printf "%.12g\n", s }'
}
words() {
	$box awk '{ n[substr($1, 4)]++ } END { for (w in n) m += n[w] * n[w]; print m }' lines
}
loop() { $box sh -c 'i=0 s=0; while [ $i -lt 15000 ]; do s=$((s + i * 3 % 7)) i=$((i + 1)); done
	echo $s'; }
digits() { echo '2^1500 % 10^40; sqrt(2 * 10^60)' | $box bc; }
sums() { $box head -c 8388608 /dev/zero | $box sha256sum; }
packed() { $box gzip -c lines | $box gzip -dc | $box md5sum; }
calls() { $box dd if=/dev/zero of=/dev/null bs=1 count=150000 2>/dev/null; }
copies() { $box dd if=/dev/zero of=/dev/null bs=1M count=1000 2>/dev/null; }
starts() { i=0; while [ $i -lt 250 ]; do $box true; i=$((i + 1)); done; }

lines >lines
work awk_float "awk, floating point" float
work awk_words "awk, words into a table" words
work shell "shell, a loop" loop
work bc "bc, long numbers" digits
work sort "sort, 60000 lines" $box sort -r lines
work sha256 "sha256, 8 MiB" sums
work gzip "gzip and back, 720 KiB" packed
work sed "sed, 60000 lines" $box sed -e 's/\([0-9]\)\([0-9]*\) l/\2\1 /' lines
work syscall "150000 reads and writes of a byte" calls
work memory "1000 reads of 1 MiB of zeroes" copies
work start "250 programs" starts
rm -r "$folder"
