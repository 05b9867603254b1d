#!/bin/sh
# Lets a node's container engines use mirrors, without a change to any manifest.
#
#     examples/node-bootstrap.sh [ROOT]            configure; ROOT is where the node's files are, / if not given
#     examples/node-bootstrap.sh --remove [ROOT]   take it away again
#
# CRI-O, podman, skopeo and buildah read registries.conf.d at once. containerd reads certs.d where its config.toml says
# `config_path = "/etc/containerd/certs.d"`, and cannot express all mirrors: --partial leaves those out, and says so.
set -eu
usage() {
    sed -n 's|^# *examples/|usage: examples/|p' "$0" >&2
    exit 2
}
remove=
if [ "${1-}" = --remove ]; then
    remove=--remove
    shift
fi
case ${1-} in -*) usage ;; esac
root=${1:-}

crane-mirrors config registries.conf $remove --output-dir "$root/etc/containers/registries.conf.d"
crane-mirrors config containerd --partial $remove --output-dir "$root/etc/containerd/certs.d"
