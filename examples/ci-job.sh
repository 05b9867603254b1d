#!/bin/sh
# A CI job behind a slow link: it takes what it needs from whichever mirror is up today.
#
#     examples/ci-job.sh MANIFESTS
#
# MANIFESTS is a folder; the images in it are renamed and pinned. Beside it values.yaml is written. The container client
# is the first that is there: docker, podman, nerdctl, ctr or crictl.
set -eu
usage() {
    sed -n 's|^# *examples/|usage: examples/|p' "$0" >&2
    exit 2
}
case ${1-} in '' | -*) usage ;; esac
manifests=$1

# A mirror that has something else than the origin under the same name is a reason to stop; one that is late, or down
# (exit code 4), is not.
crane-mirrors check craned --mirror coding --fail-on diverged || [ $? -eq 4 ]

# The file comes from the next mirror when the first one fails, and from none that differs from the origin.
crane-mirrors fetch helm-charts main integration/grafana/override_values.yaml \
    --verify --output-file "$(dirname "$manifests")/values.yaml"

# Every image by its digest, on a mirror that has exactly what the origin has.
crane-mirrors rewrite --pin --in-place "$manifests"

image=$(crane-mirrors pull craned:main --pin)
echo "pulled $image"
