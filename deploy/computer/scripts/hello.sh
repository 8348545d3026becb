#!/bin/sh
# A script nobody has permitted yet: the agent of this demo computer stops it until you do.
echo "Hello from $(basename "$(dirname "$(dirname "$0")")"). Somebody permitted me and deployed the policy."
