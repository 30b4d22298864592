#!/bin/sh
# Run in the guest: a little of everything, for executors that take their time; prints one
# "name value" a line, then the kernel's log.  linux_test.py knows what must stand there.
# SPDX-License-Identifier: MIT
cd /tmp || exit 1
awk 'BEGIN { for (i = 0; i < 2048; i++) printf "%07d\n", i * 7919 % 10000000 }' >data
echo "sha256sum $(sha256sum <data | cut -d' ' -f1)"
echo "gzip $(gzip -c data | gzip -dc | md5sum | cut -d' ' -f1)"
echo "sort $(sort -r data | md5sum | cut -d' ' -f1)"
echo "bc $(echo '2^200 % 1000000007' | bc)"
echo "shell $((123456789 * 987654321)) $((-17 / 5)) $((-17 % 5)) $((1 << 40 | 255))"
echo "awk $(awk 'BEGIN { for (i = 1; i <= 500; i++) s += 1 / (i * i); printf "%.12f %.6g", s, s * 1e99 }')"
echo "pipes $(seq 100 | sed 's/^/x/' | grep -c '^x')"
echo "log"
dmesg
