#!/bin/sh
# Lets every new pod of a cluster use mirrors: a Kyverno policy renames the images when the pod is created.
#
#     examples/cluster-kyverno.sh FOLDER            write the policy into FOLDER, and apply it
#     examples/cluster-kyverno.sh --remove FOLDER   delete it from the cluster, and the file
#
# It needs kubectl with rights to change ClusterPolicies, and Kyverno in the cluster.
set -eu
usage() {
    sed -n 's|^# *examples/|usage: examples/|p' "$0" >&2
    exit 2
}
remove=
if [ "${1-}" = --remove ]; then
    remove=yes
    shift
fi
case ${1-} in '' | -*) usage ;; esac

if [ "$remove" ]; then
    kubectl delete --ignore-not-found clusterpolicies.kyverno.io crane-mirrors
    crane-mirrors config kyverno --remove --output-dir "$1"
else
    crane-mirrors config kyverno --output-dir "$1"
    kubectl apply --server-side --filename "$1/crane-mirrors-kyverno.yaml"
fi
