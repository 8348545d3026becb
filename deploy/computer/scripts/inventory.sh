#!/bin/sh
# What a remote monitoring tool might run every night.
echo "computer: $(uname -n)"
echo "kernel:   $(uname -sr)"
echo "uptime:   $(cut -d ' ' -f 1 /proc/uptime) s"
