#!/bin/sh
# Makes the tar archive $1: a Debian trixie root file system with what python:3.13-slim-trixie has and Threadmill uses:
# `python3` 3.13 able to make virtual environments, bash, apt, the C++ runtime for Locust's wheels. About 25 s.
# Debian's own byte code of the standard library stays in it; documentation, locales and package lists do not.
# Certificates are Debian's. Nothing of this machine's configuration gets in.
set -eu
here=$(dirname "$0")
exec mmdebstrap --quiet --format=tar --variant=essential \
    --include="$(paste -sd, "$here/packages.txt")" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='force-unsafe-io' \
    --customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/etc/hostname "$1"/etc/resolv.conf' \
    trixie "$1"
