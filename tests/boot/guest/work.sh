#!/bin/sh
# Run in the guest: known data through known sums, by as many processes as CPUs; prints one
# "name value" a line, then the kernel's log.  linux_test.py knows what must stand there.
# SPDX-License-Identifier: MIT
cd /tmp || exit 1
cpus=$(nproc)
echo "cpus $cpus"

# 128 KiB of text that is the same everywhere.
awk 'BEGIN { for (i = 0; i < 16384; i++) printf "%07d\n", i * 7919 % 10000000 }' >data
for sum in md5sum sha1sum sha256sum sha512sum; do
	echo "$sum $($sum <data | cut -d' ' -f1)"
done
gzip -c data >data.gz
echo "gzip $(gzip -dc data.gz | md5sum | cut -d' ' -f1)"
echo "sort $(sort -r data | md5sum | cut -d' ' -f1)"
echo "bc $(echo '2^200 % 1000000007' | bc)"
echo "shell $((123456789 * 987654321)) $((-17 / 5)) $((-17 % 5)) $((1 << 40 | 255))"
echo "awk $(awk 'BEGIN { for (i = 1; i <= 5000; i++) s += 1 / (i * i); printf "%.12f %.6g", s, s * 1e99 }')"
echo "factor $(factor 1000036000099)"

# All CPUs at once; each must come to the same sum.
i=0
while [ $i -lt "$cpus" ]; do
	(for n in 1 2 3 4; do sha256sum data; done | sort -u | cut -c1-16 >sum.$i) &
	i=$((i + 1))
done
wait
echo "parallel $(cat sum.* | uniq -c | tr -s ' ')"

# Pipes, processes, signals.
echo "pipes $(seq 1000 | sed 's/^/x/' | grep -c '^x')"
i=0
while [ $i -lt 50 ]; do
	/bin/true && i=$((i + 1))
done
echo "processes $i"
(trap 'echo "signal TERM"; exit 0' TERM; kill -TERM $(exec sh -c 'echo $PPID'); sleep 5)

echo "idle-cpus $(awk '/^ *LOC:/ { for (i = 2; i < 2 + n; i++) if (!$i) bad++; print bad + 0 }' \
	n="$cpus" /proc/interrupts)"
echo "log"
dmesg
